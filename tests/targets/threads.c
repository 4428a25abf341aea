// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * threads [N [M]] - N threads (8) with M calls (1000) each
 *
 * thread_main(): N calls. work() > leaf(): N * M calls each.
 */
#include <pthread.h>
#include <stdlib.h>

#include "target.h"

static long n_calls = 1000;

CALLED static void leaf(void)
{
	NO_TAIL_CALL();
}

CALLED static void work(void)
{
	leaf();
	NO_TAIL_CALL();
}

CALLED static void *thread_main(void *arg)
{
	for (long i = 0; i < n_calls; i++)
		work();
	return arg;
}

int main(int argc, char **argv)
{
	long n_threads = argc > 1 ? atol(argv[1]) : 8;
	pthread_t *threads = calloc(n_threads, sizeof(*threads));

	if (argc > 2)
		n_calls = atol(argv[2]);
	for (long i = 0; i < n_threads; i++) {
		if (!threads || pthread_create(&threads[i], NULL, thread_main, NULL))
			return 1;
	}
	for (long i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}
