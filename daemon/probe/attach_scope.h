/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/attach_scope.h - which processes a session sees, and which of one user's have its probes */
#ifndef PERFFLOW_PROBE_ATTACH_SCOPE_H
#define PERFFLOW_PROBE_ATTACH_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "perfflow/change.h"

struct attach;

/* The value of a process in the kernel side's table of those in scope (struct pf_process), by pid. */
struct attach_process {
	uint64_t oncpu_ns, since_ns, generation;
	uint32_t is_named, reserved;
};

/*
 * Puts a process into the scope (with its threads, and from then on its children). The generation is the time of its
 * PROCESS record. -E2BIG: the table is full. -EEXIST: it came into the scope by itself, and the kernel side has told of it.
 */
int attach_add_process(struct attach *attach, pid_t pid, uint64_t generation);
bool attach_has_process(const struct attach *attach, pid_t pid);
/* Now or before it ended; false is certain, true now and then a mistake. */
bool attach_may_have_had_process(const struct attach *attach, pid_t pid);

/* It is not in the scope any more. */
void attach_remove_process(struct attach *attach, pid_t pid);
/* Tells the generation of one that was added with 0 before it was known. -ENOENT: it has left the scope. */
int attach_name_process(struct attach *attach, pid_t pid, uint64_t generation);

/*
 * Of one user's: puts the probes into a process that is in the scope, also those that are woven later. -ESRCH: it is gone, or
 * has left the scope; -EDQUOT: the memory that is allowed does not do. Without a call there is none in it.
 */
int attach_link_process(struct attach *attach, pid_t pid);
bool attach_has_linked(const struct attach *attach, pid_t pid);
void attach_unlink_process(struct attach *attach, pid_t pid); /* no breakpoint of its own is left on return */
void attach_forget_process(struct attach *attach, pid_t pid); /* the same for one that has ended: until attach_sweep() */
size_t attach_n_forgotten(const struct attach *attach);
void attach_sweep(struct attach *attach);

/* Bytes that the kernel needs for these probes, about; and how many it may need, 0: any number. */
uint64_t attach_linked_bytes(const struct attach *attach);
void attach_allow_linked_bytes(struct attach *attach, uint64_t max_bytes);

/* The pids of those that have probes, and of those in the scope: arrays of the caller's. */
int attach_linked(const struct attach *attach, pid_t **ret_pids, size_t *ret_n);
int attach_processes(const struct attach *attach, pid_t **ret_pids, size_t *ret_n);

/* What becomes of those processes, told at once; perfflow/change.h has what. The descriptor is readable when there is something. */
typedef void (*attach_change_fn)(const struct pf_change *change, void *userdata);
int attach_changes_fd(const struct attach *attach);
/* Some of what waits: a user's processes can make more of it than there is time for. */
void attach_read_changes(struct attach *attach, attach_change_fn change_fn, void *userdata);
uint64_t attach_n_changes_lost(const struct attach *attach);

/*
 * Which of the session's atoms hold for a process of that generation; and, with metrics_by_process, whether its spans carry the
 * metrics. May be called from any thread.
 */
int attach_set_verdict(struct attach *attach, pid_t pid, uint64_t generation, uint32_t atoms, bool with_metrics);

#endif
