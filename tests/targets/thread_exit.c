// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * thread_exit - threads that end inside of a function
 *
 * worker() > leaves(): 4 calls each, one a thread, ended by pthread_exit(). returns(): 4 calls, in the same threads
 * before that. after(): 1 call in the main thread.
 */
#include <pthread.h>
#include <stddef.h>

#include "target.h"

CALLED static void returns(void)
{
	NO_TAIL_CALL();
}

CALLED static void leaves(void)
{
	pthread_exit(NULL);
}

CALLED static void *worker(void *arg)
{
	returns();
	leaves();
	NO_TAIL_CALL();
	return arg;
}

CALLED static void after(void)
{
	NO_TAIL_CALL();
}

int main(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, worker, NULL))
			return 1;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	after();
	return 0;
}
