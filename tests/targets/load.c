// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * load [SECONDS] - two threads and a child that are on a CPU for part of the time, for so long (3)
 *
 * step(): about 100 calls a second in each. Prints the user and system time of the process, and of
 * its child, in nanoseconds, at the end.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static long seconds = 3;

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

CALLED static void step(int64_t us)
{
	int64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + us * 1000;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
	usleep(10000 - us);
}

static void *work(void *us)
{
	int64_t until = clock_ns(CLOCK_MONOTONIC) + seconds * 1000000000LL;

	while (clock_ns(CLOCK_MONOTONIC) < until)
		step((intptr_t)us);
	return NULL;
}

static long long used_ns(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pid_t pid;

	if (argc > 1)
		seconds = atol(argv[1]);
	pid = fork();
	if (!pid) {
		work((void *)2000);
		_exit(0);
	}
	if (pid < 0 || pthread_create(&thread, NULL, work, (void *)3000))
		return 1;
	work((void *)5000);
	pthread_join(thread, NULL);
	waitpid(pid, NULL, 0);
	printf("self %lld\n", used_ns(RUSAGE_SELF));
	printf("child %lld\n", used_ns(RUSAGE_CHILDREN));
	return 0;
}
