/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a program is after PerfFlowAspect's compiler pass: calls of the runtime's two functions
 * where an annotated function is entered and before it returns. N rounds (3) on each of two
 * threads. The strings are what the pass passes: the source as it was given to the compiler, the
 * linker's name, "NA" for what the annotation does not say, and the pointcut; without the last
 * where OLD is defined, as it was at first.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef OLD
void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
			   const char *flow);
void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
			  const char *flow);
#define BEFORE(async, function, scope, flow, pcut)                                                 \
	perfflow_weave_before(async, "src/woven.cpp", function, scope, flow)
#define AFTER(async, function, scope, flow, pcut)                                                  \
	perfflow_weave_after(async, "src/woven.cpp", function, scope, flow)
#else
void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
			   const char *flow, const char *pcut);
void perfflow_weave_after(int async, const char *module, const char *function, const char *scope,
			  const char *flow, const char *pcut);
#define BEFORE(async, function, scope, flow, pcut)                                                 \
	perfflow_weave_before(async, "src/woven.cpp", function, scope, flow, pcut)
#define AFTER(async, function, scope, flow, pcut)                                                  \
	perfflow_weave_after(async, "src/woven.cpp", function, scope, flow, pcut)
#endif

static int n_rounds = 3;

/* int factorial(int), of pointcut 'around' */
__attribute__((noinline)) static int factorial(int n)
{
	int product;

	BEFORE(0, "_Z9factoriali", "NA", "NA", "around");
	product = n > 1 ? n * factorial(n - 1) : 1;
	AFTER(0, "_Z9factoriali", "NA", "NA", "around");
	return product;
}

/* void io::send(int), of pointcut='around_async', scope='io', flow='inout' */
__attribute__((noinline)) static void asynchronous(void)
{
	BEFORE(1, "_ZN2io4sendEi", "io", "inout", "around_async");
	AFTER(1, "_ZN2io4sendEi", "io", "inout", "around_async");
}

/* Of pointcut 'before' with flow='out'; and in C, where the linker's name is the name, 'after'. */
__attribute__((noinline)) static void one_sided(void)
{
	BEFORE(0, "_Z6startsv", "NA", "out", "before");
	AFTER(0, "ends", "NA", "NA", "after");
}

/* An exception passes through a function of pointcut 'around': the pass has put no call there. */
__attribute__((noinline)) static void never_returns(jmp_buf *target)
{
	BEFORE(0, "_Z6throwsv", "NA", "in", "around");
	longjmp(*target, 1);
}

static void *thread(void *unused)
{
	jmp_buf target;

	for (volatile int i = 0; i < n_rounds; i++) {
		factorial(3);
		asynchronous();
		one_sided();
		if (setjmp(target) == 0)
			never_returns(&target);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t other;

	if (argc > 1)
		n_rounds = atoi(argv[1]);
	if (pthread_create(&other, NULL, thread, NULL) != 0)
		return 1;
	thread(NULL);
	pthread_join(other, NULL);
	puts("done");
	return 0;
}
