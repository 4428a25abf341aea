/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "inspect/match.h"

#include <errno.h>
#include <string.h>

#include "inspect/critical_path.h"
#include "probe/condition.h"

#define BATCH_BYTES (64 << 10)

/* What is open of one binary. */
struct matching {
	const struct match *match;
	const struct binary *binary;
	struct capturer *capturer;
	struct units *units;
	struct found *found;
	struct wire_writer batch;
};

/* Only processes in scope: its condition is one more that has to hold. */
static int restrict_to_scope(const struct plan *plan, struct pf_condition *joined, struct why *why)
{
	struct condition condition = condition_unpack(joined), scope = condition_unpack(&plan->scope_condition);
	int r;

	if (!plan->scope)
		return 0;
	r = condition_and(&condition, &scope);
	if (r >= 0)
		r = condition_pack(&condition, pointcut_atoms_process_mask(&plan->atoms), joined);
	return r == -E2BIG ? why_say(why, r, "the scope and the pointcuts together are too complex") : r;
}

static int flush(struct matching *matching)
{
	struct wire_writer *batch = &matching->batch;
	int r = batch->error;

	if (r >= 0 && batch->text.size)
		r = matching->match->send_fn(matching->match->userdata, batch->text.data, batch->text.size);
	batch->text.size = 0;
	return r;
}

static int tell_joinpoint(struct matching *matching, struct joinpoint *joinpoint, struct why *why)
{
	const struct plan *plan = matching->match->plan;
	bool is_recorded = joinpoint->aspect != JOINPOINT_OF_NONE;
	const struct aspect *aspect = is_recorded ? plan->aspects[joinpoint->aspect] : NULL;
	struct capture_report *report = is_recorded ? &matching->found->reports[joinpoint->aspect] : NULL;
	_cleanup_(advised_done) struct advised advised = { 0 };
	int r;

	r = restrict_to_scope(plan, &joinpoint->condition, why);
	if (r >= 0)
		r = advise(matching->binary, matching->capturer, aspect, joinpoint, report, &advised);
	if (r >= 0 && matching->units)
		r = critical_path_name(matching->units, joinpoint, &advised);
	if (r < 0)
		return r;
	found_put_joinpoint(&matching->batch, joinpoint, &advised);
	return matching->batch.text.size < BATCH_BYTES ? matching->batch.error : flush(matching);
}

static int tell_joinpoints(const struct match *match, const struct binary *binary, const struct symbols *symbols,
			   const struct joinpoints *joinpoints, struct found *found, struct why *why)
{
	struct matching matching = { .match = match, .binary = binary, .found = found };
	int r;

	r = capturer_open(binary, symbols, &matching.capturer);
	if (r >= 0 && match->with_units)
		r = units_open(binary, symbols, &matching.units);
	for (size_t i = 0; i < joinpoints->n_items && r >= 0; i++)
		r = tell_joinpoint(&matching, &joinpoints->items[i], why);
	if (r >= 0)
		r = flush(&matching);
	units_close(matching.units);
	capturer_close(matching.capturer);
	wire_writer_done(&matching.batch);
	return r;
}

static int note_rejected(const struct joinpoints *joinpoints, struct found *found)
{
	_cleanup_(text_done) struct text text = { 0 };
	int r;

	found->n_rejected = joinpoints->n_rejected;
	if (!joinpoints->n_rejected)
		return 0;
	r = text_printf(&text, "'%s': %s", joinpoints->rejected[0].name, joinpoints->rejected[0].reason);
	if (r >= 0)
		r = array_grow(&found->blocks, found->n_blocks, sizeof(char *));
	if (r < 0)
		return r;
	found->rejection = found->blocks[found->n_blocks++] = take_ptr(text.data);
	return 0;
}

int match_binary(const struct match *match, struct binary *binary, struct found *found, struct why *why)
{
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = { 0 };
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	const struct plan *plan = match->plan;
	const struct joinpoint_query query = {
		.aspects = (const struct aspect *const *)plan->aspects,
		.n_aspects = plan->n_aspects,
		.atoms = &plan->atoms,
		.python = plan->python.n_slots ? &plan->python : NULL,
		.returns = plan->returns,
		.matched = found->matched,
		.followed = found->followed,
	};
	int r;

	r = symbols_read(binary, &symbols, why);
	if (r >= 0)
		r = joinpoints_find(binary, &symbols, &query, &joinpoints, why);
	if (r >= 0)
		r = note_rejected(&joinpoints, found);
	return r < 0 ? r : tell_joinpoints(match, binary, &symbols, &joinpoints, found, why);
}

static bool is_landing(const struct symbol *symbol)
{
	return symbol->is_global && (strcmp(symbol->linker_name, "__cxa_begin_catch") == 0 ||
				     strcmp(symbol->linker_name, "_Unwind_Resume") == 0);
}

size_t match_landings(const struct symbols *symbols, uint64_t ret_offsets[MATCH_MAX_LANDINGS])
{
	size_t n = 0;

	for (size_t i = 0; i < symbols->n_items && n < MATCH_MAX_LANDINGS; i++)
		if (is_landing(&symbols->items[i]))
			ret_offsets[n++] = symbols->items[i].file_offset;
	return n;
}
