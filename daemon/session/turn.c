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

static int wait_alone(sd_event *loop)
{
	int r;

	turn_give();
	r = sd_event_wait(loop, UINT64_MAX);
	turn_take();
	return r;
}

/*
 * While others have the turn the loop is not looked into. It is asked twice what is ready so, which is not for the
 * descriptors of perf events: these tell it once.
 */
static int wait_shared(sd_event *loop)
{
	struct pollfd fd = { .fd = sd_event_get_fd(loop), .events = POLLIN };
	int r;

	if (fd.fd < 0)
		return fd.fd;
	turn_give();
	r = poll(&fd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
	turn_take();
	return r < 0 ? r : sd_event_wait(loop, 0);
}

static int run_loop(sd_event *loop, int (*wait)(sd_event *loop))
{
	while (sd_event_get_state(loop) != SD_EVENT_FINISHED) {
		int r = sd_event_prepare(loop);

		if (r == 0)
			r = wait(loop);
		if (r > 0)
			r = sd_event_dispatch(loop);
		if (r < 0)
			return r;
	}
	return 0;
}

int turn_run_loop(sd_event *loop)
{
	return run_loop(loop, wait_alone);
}

int turn_run_shared_loop(sd_event *loop)
{
	return run_loop(loop, wait_shared);
}
