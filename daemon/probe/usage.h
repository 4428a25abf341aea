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
	uint64_t oncpu_ns; /* since it came into scope */
};

int usage_open(const struct attach *attach, struct usage **ret_usage);
void usage_close(struct usage *usage);
DEFINE_CLEANUP(struct usage, usage_close)

/*
 * Reads all counts as of now_ns (CLOCK_BOOTTIME), with what runs at this moment. The list is valid until the next call.
 * A count may be a few microseconds behind where a switch happens meanwhile; the next one has it.
 */
int usage_read(struct usage *usage, uint64_t now_ns, uint64_t *ret_busy_ns, const struct usage_process **ret_processes,
	       size_t *ret_n);

#endif
