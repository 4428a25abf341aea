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
 * -EXDEV with a sentence where this process lives in a pid namespace of its own (a container): the kernel tells of
 * processes by their pids in the initial one, and nothing here would fit together.
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

/*
 * The record that the kernel side sends when it sees a process first, made from /proc. start_ns is
 * in whole clock ticks (10 ms) on both sides, since /proc tells no more.
 */
int process_seen(pid_t pid, struct pf_process_seen *ret_seen);

#endif
