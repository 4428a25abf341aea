/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/dispatch.h - the one hook at the scheduler's switches that the sessions of this process share
 *
 * Attached with the first session that joins, taken away with the last. May be used from any thread.
 */
#ifndef PERFFLOW_PROBE_DISPATCH_H
#define PERFFLOW_PROBE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"
#include "util/why.h"

struct dispatch; /* a session's part in it */

struct dispatch_maps { /* descriptors, owned by dispatch, of what the session's programs are to use: see bpf/dispatch.bpf.h */
	int cpu_clocks, scope_marks, switch_hooks;
};

int dispatch_join(struct dispatch **ret_dispatch, struct why *why);
void dispatch_leave(struct dispatch *dispatch);
DEFINE_CLEANUP(struct dispatch, dispatch_leave)

struct dispatch_maps dispatch_maps(const struct dispatch *dispatch);
uint32_t dispatch_bit(const struct dispatch *dispatch);

/* Whether hooks can be called by the dispatcher. Where not, they are to be attached themselves. */
bool dispatch_can_call(const struct dispatch *dispatch);
/* Has the program called at each switch that may be of the session's scope. */
int dispatch_begin(struct dispatch *dispatch, int program);
/* No switch is passed over from now on, whoever it is of. */
void dispatch_want_all(struct dispatch *dispatch);

/* Marks a process as one that may be in the session's scope, from then on. */
void dispatch_mark(struct dispatch *dispatch, pid_t pid);
bool dispatch_is_marked(const struct dispatch *dispatch, pid_t pid);

/* Switches that the kernel left out since the session joined. */
uint64_t dispatch_n_missed_runs(const struct dispatch *dispatch);

#endif
