// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * reborn THREADS - a child whose thread state may be one that another thread had
 *
 * So many threads, one after another, call works() twice, with 8 ms on a CPU between. Then forks() is called: in the parent it
 * returns when the child has ended, and in the child when that has slept for 60 ms.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

CALLED static void works(void)
{
	NO_TAIL_CALL();
}

static void *thread(void *nothing)
{
	struct timespec used;

	works();
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	while (!used.tv_sec && used.tv_nsec < 8000000);
	works();
	return nothing;
}

CALLED static pid_t forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		usleep(60000);
	else
		waitpid(pid, NULL, 0);
	NO_TAIL_CALL();
	return pid;
}

int main(int argc, char **argv)
{
	long n_threads = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	pthread_t id;

	for (long i = 0; i < n_threads; i++)
		if (pthread_create(&id, NULL, thread, NULL) || pthread_join(id, NULL))
			return 1;
	return forks() < 0;
}
