// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * twins SECONDS - calls a tiny function some 10,000,000 times a second, and for a tenth of the time its twin, which is to be
 * left alone
 *
 * Each tenth of a second it prints "CALLS NS CPU_NS CALLS NS CPU_NS": calls of twin_hot(), the time in which it made them and
 * that of the CPU which it had for it, then those of twin_bare().
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "target.h"

#define SLOT_NS 100000000ULL
#define CALLS	1000

#if defined(__x86_64__)
#define TWIN(name)                                                                                                     \
	__asm__(".text\n.p2align 6\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"                        \
		"push %rbp\nmov %rsp, %rbp\npop %rbp\nret\n.size " #name ", . - " #name "\n");                         \
	void name(void);
#else
#define TWIN(name)                            \
	CALLED void name(void);               \
	void name(void)                       \
	{                                     \
		__asm__ volatile("nop");      \
	}
#endif
TWIN(twin_hot)
TWIN(twin_bare)

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static volatile uint32_t sink;

/* About 85 ns, in which what is around the call drowns. */
static void work(void)
{
	uint32_t x = sink;

	for (int i = 0; i < 75; i++)
		x = x * 1664525 + 1013904223;
	sink = x;
}

/* Until then. Both twins are called from here, so that nothing but the function differs. */
CALLED static void call(void (*twin)(void), uint64_t end_ns)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), start_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID), n = 0, time_ns;

	do {
		for (int i = 0; i < CALLS; i++) {
			work();
			twin();
		}
		n += CALLS;
		time_ns = clock_ns(CLOCK_MONOTONIC);
	} while (time_ns < end_ns);
	printf("%llu %llu %llu ", (unsigned long long)n, (unsigned long long)(time_ns - start_ns),
	       (unsigned long long)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_cpu_ns));
}

int main(int argc, char **argv)
{
	int n_slots = argc > 1 ? atoi(argv[1]) * 10 : 10;
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < n_slots; i++) {
		uint64_t end_ns = start_ns + (i + 1) * SLOT_NS;

		call(twin_hot, end_ns - SLOT_NS / 10);
		call(twin_bare, end_ns);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
