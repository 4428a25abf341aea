/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/mappings.h - hears of every file that any process maps executable: programs and libraries as they are loaded
 *
 * From the kernel's perf mmap events, one ring per CPU that is online when this is opened.
 */
#ifndef PERFFLOW_PROBE_MAPPINGS_H
#define PERFFLOW_PROBE_MAPPINGS_H

#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct mappings;

struct mapping {
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	pid_t pid;
	dev_t dev;
	ino_t ino;
	const char *path; /* as the process sees it; valid during the call */
};

/* -EACCES or -EPERM without CAP_PERFMON. */
int mappings_open(struct mappings **ret_mappings);
void mappings_close(struct mappings *mappings);
DEFINE_CLEANUP(struct mappings, mappings_close)

/* Readable when there are some. */
int mappings_fd(const struct mappings *mappings);

/* Hands over all that wait. Those that the kernel had no room for are counted. */
void mappings_read(struct mappings *mappings, void (*mapped)(const struct mapping *mapping, void *userdata),
		   void *userdata);
uint64_t mappings_n_lost(const struct mappings *mappings);

#endif
