/* SPDX-License-Identifier: LGPL-3.0-or-later OR GPL-2.0-only */
/* perfflow/change.h - what bpf/ tells the daemon at once of a session that sees one user's processes alone */
#ifndef PERFFLOW_CHANGE_H
#define PERFFLOW_CHANGE_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum pf_change_kind {
	PF_CHANGE_BORN = 1, /* a process in scope has this child */
	PF_CHANGE_EXEC = 2, /* it executes another program, and goes on being the user's own */
	PF_CHANGE_LEFT = 3, /* it lives and is not the user's own any more: nothing of it is recorded from here on */
	PF_CHANGE_END = 4,
	PF_CHANGE_EXEC_BY_THREAD = 5, /* as EXEC, by another thread than its first, of which nothing is left */
};

struct pf_change {
	__u32 kind; /* enum pf_change_kind */
	__u32 pid;
	__u64 time_ns; /* CLOCK_BOOTTIME */
};
_Static_assert(sizeof(struct pf_change) == 16, "layout is shared with bpf/");

#endif
