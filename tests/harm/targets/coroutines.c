// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * coroutines - 100 stacks in one thread, which switch inside nested functions, in an order unlike that of their stacks
 *
 * Half of them end, the others are left in the midst of their calls.
 */
#include <stdlib.h>
#include <ucontext.h>

#include "harm.h"

#define N 100
#define STACK_BYTES (64 * 1024)

static ucontext_t contexts[N], scheduler;
static int ended[N];
static unsigned int checksum;

CALLED static void yields(int me)
{
	checksum = checksum * 31 + (unsigned int)me;
	swapcontext(&contexts[me], &scheduler);
}

CALLED static int nested(int me, int depth)
{
	int below;

	if (!depth) {
		yields(me);
		return 1;
	}
	below = nested(me, depth - 1);
	yields(me);
	return below + 1;
}

CALLED static void coroutine(int me)
{
	int total = 0;

	for (int i = 0; i < 3 || me % 2; i++)
		total += nested(me, me % 7);
	say("%d ends with %d", me, total);
	ended[me] = 1;
}

CALLED static void resume(int which)
{
	swapcontext(&scheduler, &contexts[which]);
}

int main(void)
{
	for (int i = 0; i < N; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = malloc(STACK_BYTES);
		contexts[i].uc_stack.ss_size = STACK_BYTES;
		contexts[i].uc_link = &scheduler;
		makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
	}
	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < N; i++) {
			int which = (i * 37 + round) % N;

			if (!ended[which])
				resume(which);
		}
	}
	say("checksum %u", checksum);
	return 0;
}
