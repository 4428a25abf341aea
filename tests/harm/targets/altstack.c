// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * altstack - handlers on an alternate stack that lies below or above the thread's own, and that call traced functions
 *
 * They return, or jump out to where the thread was; either way it goes on as before.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "harm.h"

#define STACK_BYTES (256 * 1024)

static __thread sigjmp_buf out;
static __thread int jumps;

CALLED static int sum(int n)
{
	int below = n ? sum(n - 1) : 0;

	NO_TAIL_CALL();
	return below + n;
}

CALLED static void handler(int number)
{
	say("handler %d: %d", number, sum(10));
	if (jumps)
		siglongjmp(out, 1);
}

CALLED static void nested(int depth)
{
	if (depth)
		nested(depth - 1);
	else
		raise(SIGUSR1);
	say("back at %d", depth);
}

CALLED static void *thread_main(void *alternate)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = STACK_BYTES };

	sigaltstack(&stack, NULL);
	for (volatile int i = 0; i < 6; i++) {
		jumps = i % 2;
		if (!sigsetjmp(out, 1))
			nested(3);
		say("round %d: %d", i, sum(20));
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	char *area = mmap(NULL, 3 * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, area + STACK_BYTES, STACK_BYTES);
	for (int above = 0; above < 2; above++) {
		say("alternate stack %s", above ? "above" : "below");
		pthread_create(&thread, &attr, thread_main, area + (above ? 2 * STACK_BYTES : 0));
		pthread_join(thread, NULL);
	}
	thread_main(area);
	return 0;
}
