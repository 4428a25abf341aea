// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * unwind - longjmp past open calls, 5 times
 *
 * catcher(): 5 calls, each returns. Within each: outer() > middle() > inner(), 5 calls each, all left by longjmp; then
 * landing(), 5 calls, each returns. At the end bare_outer() > bare_inner(), 2 calls each, left by longjmp right into
 * main(), and last(), 1 call.
 */
#include <setjmp.h>

#include "target.h"

static jmp_buf back;

CALLED static void inner(void)
{
	longjmp(back, 1);
}

CALLED static void middle(void)
{
	inner();
	NO_TAIL_CALL();
}

CALLED static void outer(void)
{
	middle();
	NO_TAIL_CALL();
}

CALLED static void landing(void)
{
	NO_TAIL_CALL();
}

CALLED static void catcher(void)
{
	if (!setjmp(back))
		outer();
	landing();
	NO_TAIL_CALL();
}

CALLED static void bare_inner(void)
{
	longjmp(back, 1);
}

CALLED static void bare_outer(void)
{
	bare_inner();
	NO_TAIL_CALL();
}

CALLED static void last(void)
{
	NO_TAIL_CALL();
}

int main(void)
{
	volatile int i;

	for (i = 0; i < 5; i++)
		catcher();
	for (i = 0; i < 2; i++) {
		if (!setjmp(back))
			bare_outer();
	}
	last();
	return 0;
}
