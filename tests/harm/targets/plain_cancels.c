// SPDX-License-Identifier: LGPL-3.0-or-later
/* plain_cancels - pthread_cancel and pthread_exit in plain C, without any trace of exceptions: handlers run innermost first */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

#include "harm.h"

static sem_t inside;

CALLED static void clean(void *number)
{
	say("clean up %d", (int)(intptr_t)number);
}

CALLED static void ends(int how)
{
	if (how == 0)
		pthread_exit((void *)7);
	if (how == 1)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sem_post(&inside);
	while (how)
		pause();
	NO_TAIL_CALL();
}

CALLED static void nested(int depth, int how)
{
	pthread_cleanup_push(clean, (void *)(intptr_t)depth);
	if (depth)
		nested(depth - 1, how);
	else
		ends(how);
	pthread_cleanup_pop(1);
}

CALLED static void *thread_main(void *how)
{
	pthread_cleanup_push(clean, (void *)100);
	nested(5, (int)(intptr_t)how);
	pthread_cleanup_pop(0);
	return NULL;
}

int main(void)
{
	sem_init(&inside, 0, 0);
	for (intptr_t i = 0; i < 9; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, thread_main, (void *)(i % 3));
		if (i % 3) {
			sem_wait(&inside);
			usleep(2000);
			pthread_cancel(thread);
		}
		pthread_join(thread, &result);
		say("thread %d gave %d", (int)i, (int)(intptr_t)result);
	}
	return 0;
}
