/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mutex alone would let a thread that gives the turn away and asks for it at once have it before those who wait. */
#include "session/turn.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static uint64_t n_asked, n_given;

void turn_take(void)
{
	uint64_t number;

	pthread_mutex_lock(&lock);
	number = n_asked++;
	while (number != n_given)
		pthread_cond_wait(&given, &lock);
	pthread_mutex_unlock(&lock);
}

void turn_give(void)
{
	pthread_mutex_lock(&lock);
	n_given++;
	pthread_cond_broadcast(&given);
	pthread_mutex_unlock(&lock);
}

static int wait_for(sd_event *loop)
{
	struct pollfd fd = { .fd = sd_event_get_fd(loop), .events = POLLIN };
	int r;

	if (fd.fd < 0)
		return fd.fd;
	turn_give();
	r = poll(&fd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
	turn_take();
	return r;
}

int turn_run_loop(sd_event *loop)
{
	while (sd_event_get_state(loop) != SD_EVENT_FINISHED) {
		int r = sd_event_prepare(loop);

		if (r == 0) {
			r = wait_for(loop);
			if (r == 0)
				r = sd_event_wait(loop, 0);
		}
		if (r > 0)
			r = sd_event_dispatch(loop);
		if (r < 0)
			return r;
	}
	return 0;
}
