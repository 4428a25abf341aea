/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What shows once the events are in order: the calls of a thread by time, and what has two ends by
 * what both have in common. */
#include <inttypes.h>

#include "reader/check_internal.h"

#define MAX_DEPTH 512 /* Perfetto shows no more [N5] */

/* Neither of its two ends can stay. */
static int check_misplaced(struct check_run *run, const struct nest_step *step, struct why *why)
{
	const struct nest_item *item = &step->item;
	int r;

	r = check_fault_of(run, item->number, item->line, why,
			   step->fault == NEST_STICKS_OUT
				   ? "it ends after the call of line %" PRIu64
				     " that it begins in [N1]"
				   : "it begins when the call of line %" PRIu64
				     " on its thread does [N4]",
			   step->other_line);
	return r < 0 || !item->end_number ? r : check_mark(run, item->end_number, false, why);
}

static int check_step(struct check_run *run, const struct nest_step *step, struct why *why)
{
	const struct nest_item *item = &step->item;

	if (step->what != NEST_ENTER)
		return 0;
	/* others have times that are too coarse for the second */
	if (step->fault == NEST_STICKS_OUT ||
	    (step->fault == NEST_SAME_START && run->check->facts.is_ours))
		return check_misplaced(run, step, why);
	if (step->depth == MAX_DEPTH)
		return check_fault(run, item->line,
				   "it lies in %d calls, and Perfetto shows no more [N5]",
				   MAX_DEPTH);
	return 0;
}

static int check_nesting(struct check_run *run, struct why *why)
{
	struct nest_step step;
	int r;

	while ((r = nest_next(run->nest, &step, why)) > 0) {
		r = check_step(run, &step, why);
		if (r < 0)
			return r;
	}
	return r;
}

/* What was seen of one key. */
struct state {
	uint64_t key;
	bool is_open, was_used;
	struct check_end begin;
};

static void note_unpaired(struct check_twins *twins, uint64_t line)
{
	twins->n_unpaired++;
	twins->unpaired_line = line;
}

/* The begin that is open has no end. */
static int leave_key(struct check_run *run, struct check_twins *twins, struct state *state,
		     struct why *why)
{
	if (!state->is_open)
		return 0;
	note_unpaired(twins, state->begin.line);
	return twins->is_once ? 0 : check_mark(run, state->begin.number, true, why);
}

static int take_begin(struct check_run *run, struct check_twins *twins, struct state *state,
		      const struct check_end *begin, struct why *why)
{
	/* asynchronous work may use an id again once it has ended, arrows may not */
	if (state->is_open || (twins->is_once && state->was_used))
		return check_fault_of(run, begin->number, begin->line, why,
				      "what has its id began in line %" PRIu64 " already [%s]",
				      state->begin.line, twins->is_once ? "L1" : "A1");
	state->is_open = state->was_used = true;
	state->begin = *begin;
	return 0;
}

static int take_end(struct check_run *run, struct check_twins *twins, struct state *state,
		    const struct check_end *end, struct why *why)
{
	if (!state->is_open && state->was_used)
		return check_fault_of(run, end->number, end->line, why,
				      "what has its id ended already [%s]",
				      twins->is_once ? "L1" : "A1");
	if (!state->is_open) {
		note_unpaired(twins, end->line);
		return check_mark(run, end->number, false, why);
	}
	state->is_open = false;
	return 0;
}

static int check_twins(struct check_run *run, struct check_twins *twins, struct why *why)
{
	struct state state = {0};
	const void *record;
	int r;

	while ((r = sorter_next(twins->sorter, &record, why)) > 0) {
		const struct check_end *end = record;

		if (end->key != state.key) {
			r = leave_key(run, twins, &state, why);
			if (r < 0)
				return r;
			state = (struct state){.key = end->key};
		}
		if (end->is_loose)
			continue;
		r = end->is_end ? take_end(run, twins, &state, end, why)
				: take_begin(run, twins, &state, end, why);
		if (r < 0)
			return r;
	}
	return r ?: leave_key(run, twins, &state, why);
}

int check_order(struct check_run *run, struct why *why)
{
	int r;

	r = check_nesting(run, why);
	r = r ?: check_twins(run, &run->works, why);
	return r ?: check_twins(run, &run->arrows, why);
}
