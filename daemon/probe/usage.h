/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/usage.h - CPU time of the machine and of each process in scope, as the kernel side has counted it */
#ifndef PERFFLOW_PROBE_USAGE_H
#define PERFFLOW_PROBE_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/attach.h"

struct usage;

struct usage_process {
	uint32_t pid;
	uint64_t oncpu_ns; /* since it came into scope: */
	uint64_t since_ns; /* CLOCK_BOOTTIME */
};

int usage_open(const struct attach *attach, struct usage **ret_usage);
void usage_close(struct usage *usage);
DEFINE_CLEANUP(struct usage, usage_close)

struct usage_sample {
	uint64_t time_ns;	     /* CLOCK_BOOTTIME */
	const uint64_t *cpu_busy_ns; /* of each CPU, since some moment before the session */
	size_t n_cpus, n_cpus_seen;  /* that may be, and that have run something */
	const struct usage_process *processes;
	size_t n_processes;
};

/*
 * Reads all counts as of now, with what runs at this moment, and keeps them until they are asked for: by then the records of
 * what was before have come out of the rings.
 */
int usage_take(struct usage *usage);

/* The oldest sample that was taken before before_ns and was not given yet, or NULL. It is valid until the next call. */
const struct usage_sample *usage_next(struct usage *usage, uint64_t before_ns);

#endif
