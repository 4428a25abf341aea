/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "util/thread.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "util/now.h"

#define LOOK_US 200

int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *userdata),
		 void *userdata)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret_thread, NULL, run, userdata);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		pthread_setname_np(*ret_thread, name);
	return -r;
}

/* Nearly always it ends at once. The thread sanitizer knows no wait with a limit by this clock. */
int thread_join(pthread_t thread, unsigned int timeout_ms)
{
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + timeout_ms * 1000000ULL;

	while (pthread_tryjoin_np(thread, NULL) != 0) {
		if (clock_now_ns(CLOCK_MONOTONIC) > end_ns) {
			pthread_detach(thread);
			return -EBUSY;
		}
		usleep(LOOK_US);
	}
	return 0;
}
