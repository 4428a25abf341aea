/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/attach.h - the kernel side of one session: its programs, maps and probes
 *
 * The probes attach disarmed, and attach_arm() lets all of them record at once. When the process that holds it ends,
 * however that may be, the kernel takes everything away.
 */
#ifndef PERFFLOW_PROBE_ATTACH_H
#define PERFFLOW_PROBE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/binary.h"
#include "perfflow/event.h"
#include "probe/joinpoint.h"
#include "util/cleanup.h"
#include "util/why.h"

struct attach;

struct attach_config {
	unsigned int n_rings; /* rounded down to a power of two */
	size_t ring_bytes;    /* of each; a power of two, at least a page */
	uint32_t max_processes;
	bool scope_is_all; /* every process that meets a probe is in scope, */
	dev_t exe_dev;	   /* if it runs this program; exe_ino 0: any */
	ino_t exe_ino;
};

/* Loads the programs and attaches the scheduler's and processes' hooks. */
int attach_open(const struct attach_config *config, struct attach **ret_attach, struct why *why);
void attach_close(struct attach *attach); /* detaches; returns when no program of it runs any more */
DEFINE_CLEANUP(struct attach, attach_close)

/* Puts a process into the scope (with its threads, and from then on its children). -E2BIG: the table is full. */
int attach_add_process(struct attach *attach, pid_t pid);
bool attach_has_process(const struct attach *attach, pid_t pid);

/* Probes the functions of a binary; they are numbered from first_number on. On failure none of them is probed. */
int attach_joinpoints(struct attach *attach, const struct binary *binary, const struct joinpoint *joinpoints, size_t n,
		      uint32_t first_number, struct why *why);

/*
 * Probes the entries (offsets in the file) of what an unwinder calls when it has arrived: the spans of what it passed on the
 * way end there.
 */
int attach_landings(struct attach *attach, const struct binary *binary, const uint64_t *offsets, size_t n,
		    struct why *why);

void attach_arm(struct attach *attach);

/* Disarms, waits until no probe runs, and has each span that is still open sent to the rings. */
int attach_stop(struct attach *attach);

/* For the pipeline: descriptors of the rings, owned by attach. Those of process_fd and cpus are for usage_open(). */
unsigned int attach_n_rings(const struct attach *attach);
int attach_ring_fd(const struct attach *attach, unsigned int ring);
int attach_processes_fd(const struct attach *attach);
int attach_cpus_fd(const struct attach *attach);
size_t attach_n_cpus(const struct attach *attach);

/* Sums over all CPUs. May be called from any thread. */
void attach_counters(const struct attach *attach, uint64_t ret_counters[PF_N_COUNTERS]);
/* Runs of the programs that the kernel left out, because one ran already on that CPU. */
uint64_t attach_n_missed_runs(const struct attach *attach);

#endif
