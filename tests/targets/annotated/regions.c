/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Regions, marks and asynchronous events of perfflow/aspect.h: N rounds (3) of the same, on each of
 * two threads. */
#include <perfflow/aspect.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int n_rounds = 3;

/* Left from the middle of two scopes. */
static int leaves_early(int n)
{
	PERFFLOW_SCOPE("outer scope", "scopes");

	for (int i = 0; i < 2; i++) {
		PERFFLOW_SCOPE("inner scope", "scopes");
		if (i == n % 2)
			return i;
	}
	return -1;
}

static int one_round(int n, uint64_t id)
{
	char name[32];
	int sum;

	/* a name that is written just before it is read */
	snprintf(name, sizeof(name), "round %d", n);
	PERFFLOW_BEGIN(name, "rounds");
	PERFFLOW_ASYNC_BEGIN("request", "io", id);
	PERFFLOW_BEGIN("inside", name);
	sum = leaves_early(n);
	PERFFLOW_END();
	PERFFLOW_MARK("half way", "rounds");
	PERFFLOW_ASYNC_INSTANT("request", "io", id);
	PERFFLOW_ASYNC_END("request", "io", id);
	PERFFLOW_END();
	return sum;
}

static void *thread(void *number)
{
	intptr_t sum = 0;

	for (int i = 0; i < n_rounds; i++)
		sum += one_round(i, ((uint64_t)(uintptr_t)number << 32) + i);
	return (void *)sum;
}

int main(int argc, char **argv)
{
	pthread_t other;
	void *sum;

	if (argc > 1)
		n_rounds = atoi(argv[1]);
	if (pthread_create(&other, NULL, thread, (void *)2) != 0)
		return 1;
	printf("%ld", (long)(intptr_t)thread((void *)1));
	pthread_join(other, &sum);
	printf(" %ld\n", (long)(intptr_t)sum);
	return 0;
}
