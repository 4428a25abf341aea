/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/thread.h - threads that leave all signals to the loop */
#ifndef PERFFLOW_UTIL_THREAD_H
#define PERFFLOW_UTIL_THREAD_H

#include <pthread.h>

/* name: what ps shows of it, at most 15 characters. */
int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *userdata),
		 void *userdata);

/* Waits so long for its end. -EBUSY: it goes on, and nobody is to wait for it any more. */
int thread_join(pthread_t thread, unsigned int timeout_ms);

#endif
