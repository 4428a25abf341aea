// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * tail_call - functions that end in a jump to another one, built with -O2
 *
 * caller(): 10 calls; in each first() jumps to second(), which jumps to third(): 10 calls each. All three return by
 * one return address, at one moment.
 */
#include "target.h"

CALLED static int third(int x)
{
	return x * 3;
}

CALLED static int second(int x)
{
	return third(x + 1);
}

CALLED static int first(int x)
{
	return second(x + 1);
}

CALLED static int caller(int x)
{
	int y = first(x);

	NO_TAIL_CALL();
	return y;
}

int main(void)
{
	int sum = 0;

	for (int i = 0; i < 10; i++)
		sum += caller(i);
	return sum != 195;
}
