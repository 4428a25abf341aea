// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * callers - who called whom; built with frame pointers and at fixed addresses
 *
 * main() > outer() > middle() > inner(), 3 calls each; then main() > inner(), 2 calls. middle() >
 * framed(), 3 calls, which has a frame of its own where inner() has none.
 */
#include "target.h"

CALLED static void inner(void)
{
	NO_TAIL_CALL();
}

CALLED static void framed(long n)
{
	long kept[4];

	__asm__ volatile("" ::"r"(kept), "r"(n) : "memory");
	NO_TAIL_CALL();
}

CALLED static void middle(long n)
{
	inner();
	framed(n);
	NO_TAIL_CALL();
}

CALLED static void outer(long n)
{
	middle(n);
	NO_TAIL_CALL();
}

int main(void)
{
	for (long i = 0; i < 3; i++)
		outer(i);
	for (int i = 0; i < 2; i++)
		inner();
	return 0;
}
