/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/mappings.h - hears of every file that any process maps executable: programs and libraries as they are loaded;
 * and if that is wanted, of all that makes up their address spaces
 *
 * From the kernel's perf mmap events, one ring per CPU. That of a CPU that goes ends; those of CPUs that come are to be asked for.
 */
#ifndef PERFFLOW_PROBE_MAPPINGS_H
#define PERFFLOW_PROBE_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct mappings;

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_MEMORY, /* executable memory without a file; path is "[vdso]", "//anon" or the like */
	MAPPING_EXEC,	/* all that the process had mapped is gone: it executes another program */
	MAPPING_FORK,	/* the process was born with all that `parent` had mapped */
};

struct mapping {
	enum mapping_kind kind;
	uint64_t time_ns; /* CLOCK_BOOTTIME */
	pid_t pid;
	pid_t parent;

	/* of memory and files */
	uint64_t address, length, offset; /* in the file */
	dev_t dev;			  /* of the filesystem; on some, stat() gives another */
	ino_t ino;
	uint64_t generation; /* tells files apart that had the inode's number one after the other */
	const char *path; /* as the process sees it; valid during the call */
};

/* Which kinds: files alone, or all. -EACCES or -EPERM without CAP_PERFMON. */
enum mappings_scope { MAPPINGS_FILES, MAPPINGS_ALL };
int mappings_open(enum mappings_scope scope, struct mappings **ret_mappings);
void mappings_close(struct mappings *mappings);
DEFINE_CLEANUP(struct mappings, mappings_close)

/* Readable when there are some; of all kinds it may not be until a ring is full. */
int mappings_fd(const struct mappings *mappings);

/* Hands over all that wait, those of one CPU in order of time. Those that the kernel had no room for are counted. */
void mappings_read(struct mappings *mappings, void (*mapped)(const struct mapping *mapping, void *userdata),
		   void *userdata);

/* Opens the rings of CPUs that came since the last look, and returns how many. What was mapped there before is not told of. */
int mappings_renew(struct mappings *mappings, void (*mapped)(const struct mapping *mapping, void *userdata), void *userdata);

uint64_t mappings_n_lost(const struct mappings *mappings);

#endif
