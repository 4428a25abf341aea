/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* C that is annotated for PerfFlowAspect, with nothing of perfflow's in it: each of its functions
 * is called N times (3). */
#include <stdio.h>
#include <stdlib.h>

#define CRITICAL_PATH annotate("@critical_path()")

static int calls;

__attribute__((annotate("@critical_path()"))) int plain(int n)
{
	return calls++ + n;
}

__attribute__((annotate("@critical_path(pointcut='around')"))) static int hidden(int n)
{
	return calls++ - n;
}

__attribute__((annotate("@perfflowaspect.aspect.critical_path(pointcut='around', flow='out')"))) int
sends(int n)
{
	return calls++ * n;
}

__attribute__((annotate("@critical_path(flow = 'in', pointcut = 'around')"))) int receives(int n)
{
	return calls++ + 2 * n;
}

__attribute__((annotate("@critical_path(pointcut='before')"))) int before(int n)
{
	return calls++ + 3 * n;
}

__attribute__((annotate("@critical_path(pointcut='after', flow='outin')"))) int after(int n)
{
	return calls++ + 4 * n;
}

__attribute__((
	annotate("@critical_path(pointcut='around_async', scope='io, disk', flow='inout')"))) int
around_async(int n)
{
	return calls++ + 5 * n;
}

__attribute__((annotate("@critical_path(scope='io',pointcut='before_async')"))) int
before_async(int n)
{
	return calls++ + 6 * n;
}

__attribute__((annotate("@critical_path(scope='', pointcut='after_async')"))) int after_async(int n)
{
	return calls++ + 7 * n;
}

/* The attribute stands among others, behind, and on the declaration alone. */
__attribute__((noinline, CRITICAL_PATH, cold)) static int among_others(int n)
{
	return calls++ + 8 * n;
}

int declared(int n) __attribute__((annotate("@critical_path()")));
int declared(int n)
{
	return calls++ + 9 * n;
}

static inline __attribute__((annotate("@critical_path()"))) int is_inline(int n)
{
	return calls++ + 10 * n;
}

/* Not ours, malformed, and a function that is called as the attribute is. */
__attribute__((annotate("hot"))) int foreign(int n)
{
	return calls++ + 11 * n;
}

__attribute__((annotate("@critical_path(pointcut='arond')"))) int malformed(int n)
{
	return calls++ + 12 * n;
}

static int annotate(const char *text)
{
	return text[0];
}

__attribute__((CRITICAL_PATH)) void nobody_calls_me(void)
{
	puts("who?");
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 3, sum = annotate("a");

	for (int i = 0; i < n; i++) {
		sum += plain(i) + hidden(i) + sends(i) + receives(i) + before(i) + after(i);
		sum += around_async(i) + before_async(i) + after_async(i) + among_others(i) +
		       declared(i) + is_inline(i);
		sum += foreign(i) + malformed(i);
	}
	printf("%d calls, %d\n", calls, sum);
	return 0;
}
