// SPDX-License-Identifier: LGPL-3.0-or-later
/* plain [wait] - nothing but calls, for what cannot be traced at all: a 32-bit program; with `wait` until its standard input ends */
#include <unistd.h>

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

int main(int argc, char **argv)
{
	char byte;

	(void)argv;
	if (argc > 1)
		say("ready");
	while (argc > 1 && read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (int i = 0; i < 10; i++)
		say("sum %d, pointers of %d bits", adds(i), (int)sizeof(void *) * 8);
	return 13;
}
