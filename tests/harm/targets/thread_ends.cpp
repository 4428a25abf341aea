// SPDX-License-Identifier: LGPL-3.0-or-later
// thread_ends - pthread_exit inside nested functions runs clean-up handlers and destructors, innermost first
#include <pthread.h>

#include <cstdint>

#include "harm.h"

CALLED static void clean(void *number)
{
	say("clean up %d", (int)(intptr_t)number);
}

CALLED static void inner(intptr_t n)
{
	Guard guard("inner", (int)n);

	pthread_exit((void *)(n * 10));
}

CALLED static void middle(intptr_t n)
{
	pthread_cleanup_push(clean, (void *)n);
	if (n % 2)
		inner(n);
	say("middle goes on");
	pthread_cleanup_pop(1);
}

CALLED static void *thread_main(void *arg)
{
	Guard guard("thread_main", (int)(intptr_t)arg);

	middle((intptr_t)arg);
	return nullptr;
}

int main()
{
	for (intptr_t i = 0; i < 6; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, nullptr, thread_main, (void *)i);
		pthread_join(thread, &result);
		say("thread %d gave %d", (int)i, (int)(intptr_t)result);
	}
	return 0;
}
