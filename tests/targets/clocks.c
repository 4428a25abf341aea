// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * clocks - where the time of a call goes; 4 calls of each
 *
 * sleeps(): blocked for 40 ms. burns(): 40 ms on a CPU. waits(): blocked on a pipe until a thread has written, 40 ms
 * later. mixed(): burns 20 ms and sleeps 20 ms. competes(): two threads on one CPU, 40 ms on it each; it is
 * called once in each (2 calls), and waits for the CPU about as long as it runs.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static int pipes[2];

static void burn_ms(long ms)
{
	struct timespec now;
	int64_t end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	end = now.tv_sec * 1000000000LL + now.tv_nsec + ms * 1000000LL;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1000000000LL + now.tv_nsec < end);
}

CALLED static void sleeps(void)
{
	usleep(40000);
}

CALLED static void burns(void)
{
	burn_ms(40);
}

CALLED static int waits(void)
{
	char c;

	return (int)read(pipes[0], &c, 1);
}

CALLED static void mixed(void)
{
	burn_ms(20);
	usleep(20000);
}

CALLED static void *competes(void *arg)
{
	burn_ms(40);
	return arg;
}

static void *writer(void *arg)
{
	usleep(40000);
	return write(pipes[1], "x", 1) == 1 ? arg : NULL;
}

static int compete(void)
{
	pthread_t threads[2];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (pthread_create(&threads[i], NULL, competes, NULL))
			return -1;
	}
	return pthread_join(threads[0], NULL) || pthread_join(threads[1], NULL) ? -1 : 0;
}

int main(void)
{
	pthread_t thread;

	if (pipe(pipes))
		return 1;
	for (int i = 0; i < 4; i++) {
		sleeps();
		burns();
		if (pthread_create(&thread, NULL, writer, NULL) || waits() != 1 || pthread_join(thread, NULL))
			return 1;
		mixed();
	}
	return compete() ? 1 : 0;
}
