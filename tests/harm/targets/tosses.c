// SPDX-License-Identifier: LGPL-3.0-or-later
/* tosses - a program in C; nothing in its file tells that exceptions of its library pass through its functions */
#include "harm.h"
#include "tosses.h"

CALLED static void inner(int n)
{
	toss(n);
	say("never here");
}

CALLED static void outer(int n)
{
	inner(n);
	say("never here");
}

int main(void)
{
	for (int n = 0; n < 4; n++)
		say("caught %d", toss_through(outer, n));
	return 0;
}
