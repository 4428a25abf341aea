/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The trap was measured by calibrate(), with a program that does nothing; what ours take they measure themselves. */
#include "probe/cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

enum entry_kind { ENTRY_UNKNOWN, ENTRY_EMULATED, ENTRY_STEPPED, ENTRY_NOP5, ENTRY_STATIC };

void cost_table_done(struct cost_table *table)
{
	free(table->kinds);
	*table = (struct cost_table){ 0 };
}

static enum entry_kind entry_kind(const struct joinpoint *joinpoint)
{
	if (joinpoint->kind == JOINPOINT_STATIC_PROBE)
		return ENTRY_STATIC;
	if (joinpoint->site.is_optimised)
		return ENTRY_NOP5;
	return joinpoint->site.is_emulated ? ENTRY_EMULATED : ENTRY_STEPPED;
}

int cost_table_add(struct cost_table *table, const struct joinpoint *joinpoints, size_t n, uint32_t first)
{
	uint8_t *kinds = table->kinds;

	if (first + n > table->n) {
		kinds = realloc(kinds, first + n);
		if (!kinds)
			return -ENOMEM;
		memset(kinds + table->n, ENTRY_UNKNOWN, first + n - table->n);
		table->kinds = kinds;
		table->n = first + n;
	}
	for (size_t i = 0; i < n; i++)
		kinds[first + i] = entry_kind(&joinpoints[i]);
	return 0;
}

static enum entry_kind find_kind(const struct cost_table *table, uint32_t joinpoint)
{
	return joinpoint < table->n ? table->kinds[joinpoint] : ENTRY_UNKNOWN;
}

bool cost_table_may_limit(const struct cost_table *table, uint32_t joinpoint)
{
	enum entry_kind kind = find_kind(table, joinpoint);

	return kind != ENTRY_UNKNOWN && kind != ENTRY_STATIC;
}

static uint64_t entry_ns(enum entry_kind kind, const struct probe_costs *costs)
{
	if (kind == ENTRY_STEPPED)
		return costs->stepped_ns;
	return kind == ENTRY_NOP5 && costs->nop5_ns ? costs->nop5_ns : costs->emulated_ns;
}

/* A count that went down was begun anew: the kernel side forgets what was not used for long. */
static uint64_t added(__u64 now, const __u64 *before)
{
	return before && *before <= now ? now - *before : now;
}

/*
 * By how much the wait for a CPU stretches what a thread does: where it shares one, what its probes take delays it by more than
 * that.
 */
static uint64_t stretch(uint64_t cost_ns, const struct pf_hits *now, const struct pf_hits *before)
{
	uint64_t oncpu_ns, runnable_ns;

	if (!before || now->oncpu_ns <= before->oncpu_ns || now->runnable_ns <= before->runnable_ns)
		return cost_ns;
	oncpu_ns = now->oncpu_ns - before->oncpu_ns;
	runnable_ns = now->runnable_ns - before->runnable_ns;
	return (unsigned __int128)cost_ns * (oncpu_ns + runnable_ns) / oncpu_ns;
}

int cost_next(const struct table *hits, struct table_cursor *cursor, const struct cost_table *table,
	      const struct probe_costs *costs, struct cost_use *ret_use)
{
	const struct pf_hits_key *key;
	const struct pf_hits *now, *before;
	const void *found_key, *found, *old;
	uint64_t trap_ns[PF_N_HITS];

	if (!table_next(hits, cursor, &found_key, &found, &old))
		return 0;
	key = found_key;
	now = found;
	before = old;
	trap_ns[PF_HIT_ENTRY] = entry_ns(find_kind(table, key->joinpoint), costs);
	trap_ns[PF_HIT_RETURN] = costs->return_ns;
	trap_ns[PF_HIT_EXIT] = costs->stepped_ns;
	trap_ns[PF_HIT_JUMP] = costs->emulated_ns;
	*ret_use = (struct cost_use){ .joinpoint = key->joinpoint, .pid = now->pid, .tid = key->tid };
	for (int i = 0; i < PF_N_HITS; i++)
		ret_use->cost_ns += added(now->n[i], before ? &before->n[i] : NULL) * trap_ns[i] +
				    added(now->program_ns[i], before ? &before->program_ns[i] : NULL);
	ret_use->own_ns = ret_use->cost_ns;
	ret_use->cost_ns = stretch(ret_use->cost_ns, now, before);
	ret_use->n_calls = added(now->n[PF_HIT_ENTRY], before ? &before->n[PF_HIT_ENTRY] : NULL);
	ret_use->may_limit = cost_table_may_limit(table, key->joinpoint);
	return 1;
}
