// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * recursion DEPTH - calls nested in one another
 *
 * recurse(): DEPTH calls, each inside the one before. before() and after(): 3 calls each, outside of it.
 */
#include <stdlib.h>

#include "target.h"

CALLED static void before(void)
{
	NO_TAIL_CALL();
}

CALLED static void after(void)
{
	NO_TAIL_CALL();
}

CALLED static void recurse(long depth)
{
	if (depth > 1)
		recurse(depth - 1);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	for (int i = 0; i < 3; i++)
		before();
	recurse(argc > 1 ? atol(argv[1]) : 10);
	for (int i = 0; i < 3; i++)
		after();
	return 0;
}
