// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * rates SECONDS [CALM_FROM [WAITS|warm]] - calls rate_tiny() as fast as it can, and says how fast that is
 *
 * Each tenth of a second it prints "WORK CALLS": how much CPU time of its own a fixed piece of work took (nanoseconds for each of
 * its rounds), and how many calls it made meanwhile. From CALM_FROM seconds on it calls once in a millisecond. rate_slow() is
 * called each time, too.
 *
 * With WAITS a second thread is inside of rate_both() for so many seconds meanwhile, which the first one calls in place of
 * rate_tiny(), and in rate_after() then. CALM_FROM 0 is never.
 *
 * With warm it calls 500 functions in place of rate_tiny(), warm_100() to warm_599(), one in each 40 rounds: each is no more than
 * warm.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "target.h"

#if defined(__x86_64__)
__asm__(".text\n.p2align 4\n.globl rate_tiny\n.type rate_tiny, @function\nrate_tiny:\npush %rbp\nmov %rsp, %rbp\npop %rbp\nret\n"
	".size rate_tiny, . - rate_tiny\n");
void rate_tiny(void);
#else
__attribute__((noinline)) void rate_tiny(void);
void rate_tiny(void)
{
	__asm__ volatile("nop");
}
#endif

__attribute__((noinline)) void rate_slow(void);
void rate_slow(void)
{
	__asm__ volatile("nop");
}

__attribute__((noinline)) void rate_after(void);
void rate_after(void)
{
	__asm__ volatile("nop");
}

__attribute__((noinline)) void rate_both(unsigned int seconds);
void rate_both(unsigned int seconds)
{
	struct timespec time = { .tv_sec = seconds };

	__asm__ volatile("nop");
	if (seconds)
		nanosleep(&time, NULL);
}

#define TENS(do, n)                                                                                                    \
	do(n##0) do(n##1) do(n##2) do(n##3) do(n##4) do(n##5) do(n##6) do(n##7) do(n##8) do(n##9)
#define HUNDREDS(do, n)                                                                                                \
	TENS(do, n##0) TENS(do, n##1) TENS(do, n##2) TENS(do, n##3) TENS(do, n##4) TENS(do, n##5) TENS(do, n##6)       \
	TENS(do, n##7) TENS(do, n##8) TENS(do, n##9)
#define ALL(do) HUNDREDS(do, 1) HUNDREDS(do, 2) HUNDREDS(do, 3) HUNDREDS(do, 4) HUNDREDS(do, 5)

#define FUNCTION(n)                           \
	CALLED static void warm_##n(void)     \
	{                                     \
		__asm__ volatile("nop");      \
	}
#define ADDRESS(n) warm_##n,

ALL(FUNCTION)
static void (*const warm[])(void) = { ALL(ADDRESS) };
#define N_WARM (sizeof(warm) / sizeof(warm[0]))

static void *wait_inside(void *seconds)
{
	rate_both((uintptr_t)seconds);
	rate_after();
	return NULL;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static volatile uint32_t sink;

/* About 100 ns beside the call. */
static void round_once(void)
{
	uint32_t x = sink;

	for (int i = 0; i < 100; i++)
		x = x * 1664525 + 1013904223;
	sink = x;
}

enum what { TINY, BOTH, WARM };

static uint64_t call_once(enum what what, int round)
{
	static unsigned int next;

	if (what == WARM && round % 40)
		return 0;
	if (what == WARM)
		warm[next++ % N_WARM]();
	else if (what == BOTH)
		rate_both(0);
	else
		rate_tiny();
	return 1;
}

__attribute__((noinline)) void rate_outer(int calm, enum what what);
void rate_outer(int calm, enum what what)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 100000000, start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t n_rounds = 0, n_calls = 0;

	rate_slow();
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < 1000; i++) {
			round_once();
			if (!calm || i == 0)
				n_calls += call_once(what, i);
		}
		n_rounds += 1000;
	}
	printf("%.2f %llu\n", (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)n_rounds, (unsigned long long)n_calls);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) * 10 : 10, calm_from = argc > 2 ? atoi(argv[2]) * 10 : 0;
	uintptr_t waits = argc > 3 ? atoi(argv[3]) : 0;
	enum what what = waits ? BOTH : argc > 3 && !strcmp(argv[3], "warm") ? WARM : TINY;
	pthread_t waiter;

	if (waits && pthread_create(&waiter, NULL, wait_inside, (void *)waits))
		return 1;
	for (int i = 0; i < n; i++)
		rate_outer(calm_from && i >= calm_from, what);
	if (waits)
		pthread_join(waiter, NULL);
	return 0;
}
