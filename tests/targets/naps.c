// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * naps - a thread that a timer wakes while another runs on its CPU
 *
 * naps(): 1 call, which goes to sleep 40 times for 5 ms. burns(): 1 call, on the same CPU until the
 * other has returned. Neither wakes the other. Prints the thread ids, first that of the one that
 * sleeps.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "target.h"

static volatile int stop;

CALLED static void naps(void)
{
	for (int i = 0; i < 40; i++)
		usleep(5000);
}

CALLED static void burns(void)
{
	while (!stop)
		;
}

static void *burn(void *arg)
{
	printf("%d\n", gettid());
	burns();
	return arg;
}

int main(void)
{
	pthread_t thread;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	printf("%d\n", gettid());
	if (sched_setaffinity(0, sizeof(one), &one) || pthread_create(&thread, NULL, burn, NULL))
		return 1;
	naps();
	stop = 1;
	return pthread_join(thread, NULL);
}
