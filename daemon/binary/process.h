/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/process.h - what /proc tells of a process: its files, name, parent and environment */
#ifndef PERFFLOW_BINARY_PROCESS_H
#define PERFFLOW_BINARY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "perfflow/event.h"
#include "util/text.h"
#include "util/why.h"

/*
 * -EXDEV with a sentence where this process lives in a pid namespace of its own (a container): the
 * kernel tells of processes by their pids in the initial one, and nothing here would fit together.
 */
int process_check_namespace(struct why *why);

/*
 * -ESRCH with a sentence if there is no such process (or it is a zombie or a kernel thread: the
 * sentence says so).
 */
int process_check(pid_t pid, struct why *why);

/*
 * Adds to paths each file that the process has mapped executable, once, as a path to open it by:
 * /proc/PID/root + path where that is the very file that is mapped, else /proc/PID/map_files/RANGE
 * (replaced or deleted). The program comes first.
 */
int process_files(pid_t pid, struct strings *paths, struct why *why);

/* A piece of executable memory. */
struct process_mapping {
	uint64_t start, end, offset; /* in the file */
	dev_t dev;		     /* of the filesystem; on some, stat() gives another */
	ino_t ino;		     /* 0 where it has no file */
	const char *path; /* of the file, as the process sees it; or "[vdso]" or the like, or "" */
};

/* In order of address; a negative result of mapped_fn ends it. -ESRCH: it is gone. */
typedef int (*process_mapped_fn)(const struct process_mapping *mapping, void *userdata);
int process_mappings(pid_t pid, process_mapped_fn mapped_fn, void *userdata);

/*
 * Adds the pids of all processes that descend from pid, as of now, to an array of *ret_n (all zero
 * is empty; owned by the caller, freed with free()).
 */
int process_descendants(pid_t pid, pid_t **ret_pids, size_t *ret_n);

/* The pids of all processes, as of now; an array of the caller's. */
int process_all(pid_t **ret_pids, size_t *ret_n);

/* One variable of its environment; -ENOENT if unset. */
int process_environment(pid_t pid, const char *name, char **ret_value);

/* Its working directory, as it sees it. */
int process_directory(pid_t pid, char **ret_path);

/* Takes one record; what it returns, if negative, ends the description. */
typedef int (*process_record_fn)(const void *record, size_t size, void *userdata);

/*
 * All that the kernel side sends when a process executes a program, made from /proc: struct
 * pf_process_seen, and after it the path of its program, its cgroup and its environment in struct
 * pf_process_text. What may not be read is sent as cut off at its beginning. All have the time at
 * which this began, so what the kernel side sends of a program executed meanwhile counts as later.
 * start_ns is in whole clock ticks (10 ms) on both sides, since /proc tells no more. -ESRCH: it is
 * gone; then what was sent may be all there is.
 */
int process_describe(pid_t pid, process_record_fn record_fn, void *userdata);

/* Whether a thread is there no more; one with its number may be another's by now. */
bool process_thread_has_ended(uint32_t pid, uint32_t tid);

#endif
