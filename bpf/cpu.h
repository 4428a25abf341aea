/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-3.0-or-later */
/* What the kernel side keeps for each CPU, and the daemon reads through shared memory */
#ifndef PERFFLOW_CPU_H
#define PERFFLOW_CPU_H

#include "perfflow/event.h"

struct pf_cpu {
	__u64 seq;	/* odd while the scheduler's hook changes the fields up to busy_ns */
	__u64 since_ns; /* when its present task came, 0 before the first is known */
	__u32 tgid, pid; /* that task; 0 is idle */
	__u64 idle_ns, busy_ns; /* up to since_ns */
	__u64 counters[PF_N_COUNTERS];
	__u64 wake_from; /* the consumer of its ring is woken again when it has read up to there */
	__u64 reserved[5]; /* a multiple of a cache line */
};
_Static_assert(sizeof(struct pf_cpu) == 128, "the daemon maps an array of these");

#endif
