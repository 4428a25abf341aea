/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "session/readings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "inspect/inspector.h"
#include "util/thread.h"

#define END_SECONDS 2

struct readings {
	struct inspector *inspector; /* the thread's */
	size_t max_bytes;
	int stop_fd; /* of whoever waits for the inspector */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	struct reading *waiting, *done;
	bool stop;
};

int readings_new(size_t max_bytes, unsigned int read_s, struct readings **ret_readings)
{
	struct inspector_config config = {.limit_s = read_s};
	struct readings *readings = calloc(1, sizeof(*readings));
	int r = -ENOMEM;

	if (!readings)
		return r;
	readings->max_bytes = max_bytes;
	config.stop_fd = readings->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = readings->stop_fd < 0 ? -errno : inspector_new(&config, &readings->inspector);
	if (r < 0) {
		closep(&readings->stop_fd);
		free(readings);
		return r;
	}
	pthread_mutex_init(&readings->lock, NULL);
	pthread_cond_init(&readings->changed, NULL);
	*ret_readings = readings;
	return 0;
}

void readings_restrict(struct readings *readings, const struct rights *rights)
{
	inspector_restrict(readings->inspector, rights);
}

static void reading_free(struct reading *reading)
{
	closep(&reading->fd);
	free(reading->path);
	functions_done(&reading->functions);
	free(reading);
}

void reading_free_all(struct reading *reading)
{
	while (reading) {
		struct reading *next = reading->next;

		reading_free(reading);
		reading = next;
	}
}

/* Returns whether it has ended: it may hang in opening a file that is far away. */
static bool stop_thread(struct readings *readings)
{
	if (!readings->has_thread)
		return true;
	pthread_mutex_lock(&readings->lock);
	readings->stop = true;
	pthread_cond_broadcast(&readings->changed);
	pthread_mutex_unlock(&readings->lock);
	eventfd_write(readings->stop_fd, 1);
	return thread_join(readings->thread, END_SECONDS * 1000) == 0;
}

void readings_free(struct readings *readings)
{
	if (!readings || !stop_thread(readings))
		return;
	reading_free_all(readings->waiting);
	reading_free_all(readings->done);
	inspector_free(readings->inspector);
	closep(&readings->stop_fd);
	pthread_cond_destroy(&readings->changed);
	pthread_mutex_destroy(&readings->lock);
	free(readings);
}

static void read_file(struct readings *readings, struct reading *reading)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;

	reading->result = inspector_adopt(readings->inspector, reading->fd, reading->path, &binary);
	if (reading->result >= 0)
		reading->result = inspector_functions(readings->inspector, binary, readings->max_bytes,
						      &reading->functions, &reading->why);
}

/* One after the other, until it is told to stop. */
static void *read_files(void *userdata)
{
	struct readings *readings = userdata;
	struct reading *reading;

	pthread_mutex_lock(&readings->lock);
	while (!readings->stop) {
		reading = readings->waiting;
		if (!reading) {
			pthread_cond_wait(&readings->changed, &readings->lock);
			continue;
		}
		readings->waiting = reading->next;
		pthread_mutex_unlock(&readings->lock);
		read_file(readings, reading);
		pthread_mutex_lock(&readings->lock);
		reading->next = readings->done;
		readings->done = reading;
		pthread_cond_broadcast(&readings->changed);
	}
	pthread_mutex_unlock(&readings->lock);
	return NULL;
}

static int start_thread(struct readings *readings)
{
	int r;

	if (readings->has_thread)
		return 0;
	r = thread_start(&readings->thread, "pf-symbols", read_files, readings);
	readings->has_thread = r >= 0;
	return r;
}

static void add_last(struct readings *readings, struct reading *reading)
{
	struct reading **last;

	pthread_mutex_lock(&readings->lock);
	for (last = &readings->waiting; *last; last = &(*last)->next)
		;
	*last = reading;
	pthread_cond_broadcast(&readings->changed);
	pthread_mutex_unlock(&readings->lock);
}

int readings_begin(struct readings *readings, int fd, const char *path, void *userdata)
{
	struct reading *reading = fd < 0 ? NULL : calloc(1, sizeof(*reading));
	int r;

	if (!reading) {
		closep(&fd);
		return fd < 0 ? -ENOENT : -ENOMEM;
	}
	reading->fd = fd;
	reading->userdata = userdata;
	reading->path = strdup(path);
	r = reading->path ? start_thread(readings) : -ENOMEM;
	if (r < 0) {
		reading_free(reading);
		return r;
	}
	add_last(readings, reading);
	return 0;
}

struct reading *readings_take(struct readings *readings)
{
	struct reading *done;

	pthread_mutex_lock(&readings->lock);
	done = readings->done;
	readings->done = NULL;
	pthread_mutex_unlock(&readings->lock);
	return done;
}

int readings_wait(struct readings *readings, const struct timespec *end)
{
	int r = 0;

	pthread_mutex_lock(&readings->lock);
	while (!readings->done && r == 0)
		r = pthread_cond_clockwait(&readings->changed, &readings->lock, CLOCK_MONOTONIC, end);
	pthread_mutex_unlock(&readings->lock);
	return r;
}
