/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/readings.h - the functions of files, read in the background
 *
 * A file may be large, or far away, or made to harm who reads it. A thread hands one after the other
 * to an inspector and waits for it; beside what is in a reading it shares nothing with others.
 */
#ifndef PERFFLOW_SESSION_READINGS_H
#define PERFFLOW_SESSION_READINGS_H

#include <time.h>

#include "binary/rights.h"
#include "inspect/functions.h"
#include "util/cleanup.h"
#include "util/why.h"

struct readings;

struct reading {
	void *userdata; /* of who began it */
	int fd;
	char *path;
	struct functions functions; /* none where the result is negative */
	int result;
	struct why why;
	struct reading *next;
};

/* max_bytes: of the functions of a file; read_s: for each, 0: INSPECTOR_LIMIT_S. */
int readings_new(size_t max_bytes, unsigned int read_s, struct readings **ret_readings);
/* Debug files are to be these rights' to read; borrowed. Before the first reading. */
void readings_restrict(struct readings *readings, const struct rights *rights);
/* One that hangs where nothing can end it keeps what it shares with others, which is not freed then. */
void readings_free(struct readings *readings);
DEFINE_CLEANUP(struct readings, readings_free)

/* Takes the descriptor, also on failure; -ENOENT: it is none. */
int readings_begin(struct readings *readings, int fd, const char *path, void *userdata);

/* Those that are done, or NULL; the caller's. */
struct reading *readings_take(struct readings *readings);
void reading_free_all(struct reading *reading);

/* Waits until one is done; not 0 where that is not before a time of the monotonic clock. */
int readings_wait(struct readings *readings, const struct timespec *end);

#endif
