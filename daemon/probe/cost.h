/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/cost.h - what each hit of a session's probes costs its program */
#ifndef PERFFLOW_PROBE_COST_H
#define PERFFLOW_PROBE_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "probe/calibrate.h"
#include "probe/joinpoint.h"
#include "probe/table.h"

/* Of the join points of a session, by number. */
struct cost_table {		 /* all zero is empty */
	uint8_t *kinds;		 /* owned */
	size_t n;		 /* numbers up to here */
};
void cost_table_done(struct cost_table *table);

/* Notes them; they are numbered from first on. */
int cost_table_add(struct cost_table *table, const struct joinpoint *joinpoints, size_t n, uint32_t first);

/* Whether calls of it can be left out: what a static probe tells of may belong together with what others do. */
bool cost_table_may_limit(const struct cost_table *table, uint32_t joinpoint);

/* What a function's probes cost a thread. */
struct cost_use {
	uint32_t joinpoint, pid, tid;
	uint64_t n_calls;
	uint64_t own_ns;  /* of the CPU, */
	uint64_t cost_ns; /* and by how much it delays the thread */
	bool may_limit;
};

/* Between the last two times that the hits were read; hits is of struct pf_hits. Returns 0 at the end. */
int cost_next(const struct table *hits, struct table_cursor *cursor, const struct cost_table *table,
	      const struct probe_costs *costs, struct cost_use *ret_use);

#endif
