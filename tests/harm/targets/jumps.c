// SPDX-License-Identifier: LGPL-3.0-or-later
/* jumps - longjmp past 1, 5 and 50 frames, to the nearer and to the farther of two places, again and again */
#include <setjmp.h>

#include "harm.h"

static jmp_buf near_place, far_place;

CALLED static int dive(int depth, int to)
{
	int below;

	if (!depth) {
		if (to == 1)
			longjmp(near_place, 1);
		if (to == 2)
			longjmp(far_place, 2);
		return 0;
	}
	below = dive(depth - 1, to);
	NO_TAIL_CALL();
	return below + 1;
}

CALLED static int nearer(int depth, int to)
{
	int came = setjmp(near_place);

	if (came)
		return -came;
	came = dive(depth, to);
	NO_TAIL_CALL();
	return came;
}

CALLED static int farther(int depth, int to)
{
	int came = setjmp(far_place);

	if (came)
		return -came;
	came = nearer(depth, to);
	NO_TAIL_CALL();
	return came;
}

int main(void)
{
	static const int depths[] = { 1, 5, 50 };

	for (int round = 0; round < 20; round++) {
		for (int to = 0; to < 3; to++)
			say("depth %d to %d: %d", depths[round % 3], to, farther(depths[round % 3], to));
	}
	return 0;
}
