/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/features.h - what this kernel offers; found by trying, never by its version
 *
 * PERFFLOW_DISABLE="uprobe_session,uprobe_multi" does without those, as on an older kernel.
 */
#ifndef PERFFLOW_PROBE_FEATURES_H
#define PERFFLOW_PROBE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/why.h"

enum feature {
	/* nothing works without these */
	FEATURE_BTF,		/* the kernel tells how its structs are laid out */
	FEATURE_ATTACH_COOKIES, /* a program can tell which probe it runs for (Linux 5.15) */
	FEATURE_RING_BUFFERS,
	FEATURE_TASK_STORAGE,
	FEATURE_TP_BTF, /* programs at the scheduler's and processes' events */
	/* one of these two is needed */
	FEATURE_UPROBE_MULTI, /* many functions with one link (Linux 6.6) */
	FEATURE_PERF_UPROBES, /* one function with one perf event */
	/* these make it better */
	FEATURE_MULTI_PID_FILTER, /* a link's limit to one process holds for all of its threads
				     (Linux 6.10) */
	FEATURE_UPROBE_SESSION,	  /* no return trap where the entry wants none (Linux 6.13) */
	FEATURE_TAIL_CALLS,	/* a program with functions of its own can call another in its place
				   (Linux 5.10 on x86, 6.0 on arm64) */
	FEATURE_RUN_DELAY,	/* the kernel counts how long a thread waits for a CPU */
	FEATURE_RUN_CONTEXT,	/* a program can read which probe it runs for, without a call */
	FEATURE_CURRENT_TASK,	/* and which thread it runs in (Linux 6.6) */
	FEATURE_UPROBE_SYSCALL, /* a probe on a 5-byte nop is a system call, not a trap (Linux 6.18,
				   x86) */
	FEATURE_GATE, /* a program can be held until it is woven (fanotify permission events) */
	FEATURE_MEMBARRIER, /* waiting until no probe runs */
	N_FEATURES,
};

/* 1: it is there; 0: it is not, or is switched off; -EPERM: our rights do not let us tell. Tried
 * once in the life of the process. */
int feature_probe(enum feature feature);
bool feature_is_there(enum feature feature);

const char *feature_name(enum feature feature);
/* Whether PERFFLOW_DISABLE names it. */
bool feature_is_disabled(enum feature feature);

/* -EINVAL: PERFFLOW_DISABLE names something that cannot be switched off; the sentence says what can
 * be. */
int features_check_disabled(struct why *why);

/* -EOPNOTSUPP: perfflow cannot trace on this kernel; the sentence says why. */
int features_check_needed(struct why *why);

/* What libbpf returned when it could not load programs; it may say -EINVAL where it lacked
 * descriptors. */
int features_load_error(int r);

/* Where in our own program's file a function of ours is. */
int features_own_offset(void (*function)(void), unsigned long *ret_offset);

#endif
