// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * names - threads and processes that name themselves
 *
 * named(): 1 call in the main thread, which calls itself "renamed-main" by prctl, and 1 in each of 3 threads, called
 * "worker-0" to "worker-2" by pthread_setname_np before the call.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "target.h"

CALLED static void named(void)
{
	NO_TAIL_CALL();
}

static void *thread_main(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", *(int *)arg);
	if (pthread_setname_np(pthread_self(), name))
		return NULL;
	named();
	return arg;
}

int main(void)
{
	pthread_t threads[3];
	int numbers[3] = { 0, 1, 2 };
	void *done = NULL;

	if (prctl(PR_SET_NAME, "renamed-main"))
		return 1;
	named();
	for (int i = 0; i < 3; i++) {
		if (pthread_create(&threads[i], NULL, thread_main, &numbers[i]) || pthread_join(threads[i], &done) || !done)
			return 1;
	}
	return 0;
}
