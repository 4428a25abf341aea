// SPDX-License-Identifier: LGPL-3.0-or-later
/* preloaded - C all through, and nothing of what it is linked with unwinds; with libtosses.so in LD_PRELOAD exceptions pass through it */
#include "harm.h"
#include "tosses.h"

#pragma weak toss
#pragma weak toss_through

CALLED static void inner(int n)
{
	if (toss)
		toss(n);
	say("nobody tosses");
}

CALLED static void outer(int n)
{
	inner(n);
	say("nobody tossed");
}

int main(void)
{
	if (!toss_through)
		outer(0);
	for (int n = 0; n < 4 && toss_through; n++)
		say("caught %d", toss_through(outer, n));
	return 0;
}
