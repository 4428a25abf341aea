// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * pingpong N WHO [WHERE] - two that wake each other through pipes, N times each
 *
 * WHO: threads or processes. WHERE: free, together (on one CPU) or apart (on two; where there is
 * one, it is "together"). ping(): N calls in the first, pong(): N calls in the second. Prints the
 * two thread ids, and on standard error how long a round trip took.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static int to_second[2], to_first[2];
static long n;

static void stay_on(const char *where, int which)
{
	cpu_set_t all, one;
	int cpu, n_found = 0;

	if (!strcmp(where, "free") || sched_getaffinity(0, sizeof(all), &all))
		return;
	CPU_ZERO(&one);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (n_found++ == which && !strcmp(where, "apart"))
			break;
		if (!strcmp(where, "together"))
			break;
	}
	sched_setaffinity(0, sizeof(one), &one);
}

CALLED static int ping(void)
{
	char c;

	return write(to_second[1], "x", 1) != 1 || read(to_first[0], &c, 1) != 1;
}

CALLED static int pong(void)
{
	char c;

	return read(to_second[0], &c, 1) != 1 || write(to_first[1], "x", 1) != 1;
}

static void *second(void *where)
{
	stay_on(where, 1);
	printf("%d\n", gettid());
	fflush(stdout);
	for (long i = 0; i < n; i++)
		if (pong())
			_exit(1);
	return NULL;
}

static void first(const char *where)
{
	struct timespec begin, end;

	stay_on(where, 0);
	printf("%d\n", gettid());
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < n; i++)
		if (ping())
			_exit(1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	fprintf(stderr, "%.3f usecs/op\n",
		((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / 1e3 / n);
}

int main(int argc, char **argv)
{
	char *where = argc > 3 ? argv[3] : "free";
	pthread_t thread;
	pid_t pid;

	if (argc < 3 || pipe(to_second) || pipe(to_first))
		return 2;
	n = atol(argv[1]);
	if (!strcmp(argv[2], "threads")) {
		if (pthread_create(&thread, NULL, second, where))
			return 1;
		first(where);
		pthread_join(thread, NULL);
		return 0;
	}
	pid = fork();
	if (!pid) {
		second(where);
		_exit(0);
	}
	first(where);
	return waitpid(pid, NULL, 0) != pid;
}
