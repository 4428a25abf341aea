/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-3.0-or-later */
/* What the kernel side keeps for each CPU and of the scopes, and the daemon sees through shared memory */
#ifndef PERFFLOW_CPU_H
#define PERFFLOW_CPU_H

#include "perfflow/event.h"

/* Of a dispatcher: see dispatch.bpf.h. */
#define PF_SCOPE_MARKS 65536
#define PF_MAX_DISPATCHED 32 /* sessions: the kernel allows about as many tail calls one after another */

#define PF_OTHERS ~0U

/* Kept by the dispatcher for all sessions. */
struct pf_cpu_clock {
	__u64 seq;	/* odd while the scheduler's hook changes the fields up to busy_ns */
	__u64 since_ns; /* when its present task came, 0 before the first is known */
	__u32 tgid, pid; /* that task, 0 is idle; or PF_OTHERS: tasks that are of no session, one after another */
	__u64 idle_ns, busy_ns; /* up to since_ns */
	__u64 ran_ns; /* how long the task before had it */
	/* during a switch, a bit for each session: whom it may concern who left the CPU and who came, and who has still to be told */
	__u32 left_marks, came_marks, to_tell;
	__u32 unused; /* no two CPUs share a cache line */
};
_Static_assert(sizeof(struct pf_cpu_clock) == 64, "the daemon maps an array of these");

/* A session's own. */
struct pf_cpu {
	__u64 counters[PF_N_COUNTERS];
	__u64 wake_from; /* the consumer of its ring is woken again when it has read up to there */
	__u64 per_cpu_offset; /* what is to be added to the address of a kernel variable that each CPU has; 0: not known */
	__u64 address; /* see address_of() */
	__u64 run_queue; /* the address of the kernel's for this CPU, 0: not known */
	__u32 place; /* of the thread that met a probe here last */
	__u32 unused[3]; /* no two CPUs share a cache line */
};
_Static_assert(sizeof(struct pf_cpu) % 64 == 0, "the daemon maps an array of these");

#endif
