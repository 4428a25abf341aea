// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * kinds [N] - functions for each kind of advice
 *
 * whole(): N calls (20), one after another, and within each, one after another: enters(), works()
 * and leaves(), each of which rests for 2 ms. nested(4): 4 calls, each inside the one before. At
 * the end ends(), 1 call, which does not return: exit status 3.
 */
#include <stdlib.h>
#include <unistd.h>

#include "target.h"

CALLED static void enters(void)
{
	usleep(2000);
	NO_TAIL_CALL();
}

CALLED static void works(void)
{
	usleep(2000);
	NO_TAIL_CALL();
}

CALLED static void leaves(void)
{
	usleep(2000);
	NO_TAIL_CALL();
}

CALLED static void whole(void)
{
	enters();
	works();
	leaves();
	NO_TAIL_CALL();
}

CALLED static void nested(long depth)
{
	if (depth > 1)
		nested(depth - 1);
	NO_TAIL_CALL();
}

CALLED static __attribute__((noreturn)) void ends(void)
{
	_exit(3);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 20;

	for (long i = 0; i < n; i++)
		whole();
	nested(4);
	ends();
}
