/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/pfw_file.h - a file of PerfFlowAspect's form: one event a line, with a comma at its end
 *
 * What was flushed is a whole document of JSON at any time: its end is written with it, and written
 * over by what comes next.
 */
#ifndef PERFFLOW_SINK_PFW_FILE_H
#define PERFFLOW_SINK_PFW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct pfw_file;

/* A regular file, empty; fd is owned from then on, also on failure. -EINVAL: it is no regular file.
 * It is a document without events at once. */
int pfw_file_open(int fd, bool is_object, struct pfw_file **ret_file);
void pfw_file_free(struct pfw_file *file); /* what was not flushed is lost */
DEFINE_CLEANUP(struct pfw_file, pfw_file_free)

/*
 * Appends an event. The first error stays, and is returned from then on: what was written up to
 * then is a whole document if that could be done.
 */
#define PFW_MAX_EVENT_BYTES 65536
int pfw_file_add(struct pfw_file *file, const char *event, size_t size);

/* Leaves room for an event that is known later. It is blanks until then. */
struct pfw_room {
	uint64_t at;
	bool is_first; /* nothing was written before it */
};
int pfw_file_leave_room(struct pfw_file *file, struct pfw_room *ret_room);

/* -EMSGSIZE: the event is longer than the room. */
int pfw_file_fill(struct pfw_file *file, const struct pfw_room *room, const char *event,
		  size_t size);

int pfw_file_flush(struct pfw_file *file);
int pfw_file_finish(struct pfw_file *file); /* flushes and closes; returns the first error */

uint64_t pfw_file_n_bytes(const struct pfw_file *file); /* that it has */

#endif
