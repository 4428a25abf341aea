/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the macros of perfflow/aspect.h cost while nobody traces: a loop with a macro in it against
 * the same loop without. The least of many rounds is taken: other work on the machine only ever
 * adds.
 */
#include <perfflow/aspect.h>
#include <stdio.h>
#include <time.h>

#define N_LOOPS 2000000
#define ROUNDS	40

#define LOOP(name, statement)                                                                      \
	__attribute__((noinline)) static void name(void)                                           \
	{                                                                                          \
		for (unsigned long i = 0; i < N_LOOPS; i++) {                                      \
			statement;                                                                 \
			__asm__ __volatile__("" : "+r"(i));                                        \
		}                                                                                  \
	}

LOOP(loop_alone, (void)0)
LOOP(loop_region, PERFFLOW_BEGIN("name", "category"); __asm__ __volatile__(""); PERFFLOW_END())
LOOP(loop_scope, PERFFLOW_SCOPE("name", "category"); __asm__ __volatile__(""))
LOOP(loop_mark, PERFFLOW_MARK("name", "category"))
LOOP(loop_async, PERFFLOW_ASYNC_INSTANT("name", "category", i))

static const struct bench {
	const char *name;
	void (*loop)(void);
} benches[] = {
	{"the loop alone", loop_alone},		{"PERFFLOW_BEGIN and PERFFLOW_END", loop_region},
	{"PERFFLOW_SCOPE", loop_scope},		{"PERFFLOW_MARK", loop_mark},
	{"PERFFLOW_ASYNC_INSTANT", loop_async},
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure(void (*loop)(void))
{
	double least = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns(), took;

		loop();
		took = now_ns() - start;
		least = took < least ? took : least;
	}
	return least / N_LOOPS;
}

int main(void)
{
	double alone = measure(loop_alone);

	printf("%-34s %5.2f ns\n", benches[0].name, alone);
	for (size_t i = 1; i < sizeof(benches) / sizeof(benches[0]); i++)
		printf("%-34s %5.2f ns more\n", benches[i].name, measure(benches[i].loop) - alone);
	return 0;
}
