// SPDX-License-Identifier: LGPL-3.0-or-later
/* maths - what the mathematical library gives, to the last bit, from the forms that it has for this machine's processor */
#include <math.h>

#include "harm.h"

#define SHOW(name, ...) say(#name " %a", (double)name(__VA_ARGS__))

CALLED static void all(double x)
{
	SHOW(exp, x);
	SHOW(log, x + 1);
	SHOW(pow, x + 1, x);
	SHOW(sin, x);
	SHOW(cos, x);
	SHOW(tan, x);
	SHOW(asin, x / 100);
	SHOW(acos, x / 100);
	SHOW(atan, x);
	SHOW(atan2, x, 3 - x);
	SHOW(expm1, x);
	SHOW(log1p, x);
	SHOW(floor, x);
	SHOW(expf, (float)x);
	SHOW(exp2f, (float)x);
	SHOW(logf, (float)x + 1);
	SHOW(log2f, (float)x + 1);
	SHOW(powf, (float)x + 1, (float)x);
	SHOW(sinf, (float)x);
	SHOW(cosf, (float)x);
}

int main(void)
{
	for (int i = 0; i < 40; i++)
		all(i * 0.37);
	return 0;
}
