// SPDX-License-Identifier: LGPL-3.0-or-later
// cancels - pthread_cancel, deferred and asynchronous, inside nested functions: clean-up handlers and destructors run in order
#include <pthread.h>
#include <semaphore.h>

#include <cstdint>

#include "harm.h"

static sem_t inside;
static volatile unsigned long spun;

CALLED static void clean(void *number)
{
	say("clean up %d", (int)(intptr_t)number);
}

CALLED static void spin()
{
	spun = spun + 1;
}

CALLED static void sleeps()
{
	Guard guard("sleeps", 0);

	sem_post(&inside);
	for (;;)
		pause();
}

// Destructors have no place here: an exception from any instruction is more than the compiler provides for.
CALLED static void spins()
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
	sem_post(&inside);
	for (;;)
		spin();
}

CALLED static void nested(int depth, bool asynchronous)
{
	pthread_cleanup_push(clean, (void *)(intptr_t)depth);
	if (depth)
		nested(depth - 1, asynchronous);
	else if (asynchronous)
		spins();
	else
		sleeps();
	pthread_cleanup_pop(1);
}

CALLED static void *thread_main(void *arg)
{
	Guard guard("thread_main", arg ? 1 : 0);

	nested(4, arg);
	return nullptr;
}

int main()
{
	sem_init(&inside, 0, 0);
	for (intptr_t i = 0; i < 6; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, nullptr, thread_main, (void *)(i % 2));
		sem_wait(&inside);
		usleep(2000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		say("thread %d %s", (int)i, result == PTHREAD_CANCELED ? "was cancelled" : "returned");
	}
	return 0;
}
