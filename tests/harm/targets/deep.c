// SPDX-License-Identifier: LGPL-3.0-or-later
/* deep - recursion, 10,000 calls deep, three times */
#include "harm.h"

CALLED static unsigned long dive(unsigned long n)
{
	unsigned long below;

	if (!n)
		return 0;
	below = dive(n - 1);
	NO_TAIL_CALL();
	return below + n;
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		say("sum %lu", dive(10000));
	return 0;
}
