// SPDX-License-Identifier: LGPL-3.0-or-later
/* plain - nothing but calls, for what cannot be traced at all: a 32-bit program */
#include "harm.h"

CALLED int add(int a, int b)
{
	return a + b;
}

CALLED int adds(int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum = add(sum, i);
	return sum;
}

int main(void)
{
	for (int i = 0; i < 10; i++)
		say("sum %d, pointers of %d bits", adds(i), (int)sizeof(void *) * 8);
	return 13;
}
