/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * PerfFlowAspect numbers the beginnings of a process, and its ends, each for themselves: the ends
 * of one scope take the numbers of its beginnings, in their order, and a call that is around both
 * has one number. A flow has a number of its own for each of its arrows, from the 100 on that all
 * of PerfFlowAspect's have.
 *
 * A call is told of when it has returned, so the end of an arrow may come before its beginning:
 * that one takes the number of the end that is later in time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/pfw_internal.h"

#define MAX_WAITING 4096 /* then the oldest goes */
#define MAX_DEPTH   4096
#define FIRST_FLOW  100

void pfw_waiting_done(struct pfw_waiting *waiting)
{
	free(waiting->items);
	*waiting = (struct pfw_waiting){0};
}

static void forget(struct pfw_waiting *waiting, size_t i)
{
	waiting->n_items--;
	memmove(waiting->items + i, waiting->items + i + 1,
		(waiting->n_items - i) * sizeof(*waiting->items));
}

static int keep(struct pfw_waiting *waiting, const struct pfw_end *end)
{
	int r;

	if (waiting->n_items == MAX_WAITING)
		forget(waiting, 0);
	r = array_grow(&waiting->items, waiting->n_items, sizeof(*waiting->items));
	if (r == 0)
		waiting->items[waiting->n_items++] = *end;
	return r;
}

static uint64_t scope_of(const struct pfw_item *item)
{
	const char *scope = item->label->scope;

	return scope ? hash_bytes(scope, strlen(scope)) : 0;
}

static int begin_call(struct pfw_process *process, struct pfw_lane *lane, struct pfw_item *item)
{
	int r;

	item->async_id = process->n_asyncs++;
	if (lane->n_asyncs == MAX_DEPTH)
		return 0;
	r = array_grow(&lane->asyncs, lane->n_asyncs, sizeof(*lane->asyncs));
	if (r == 0)
		lane->asyncs[lane->n_asyncs++] =
			(struct pfw_async){.joinpoint = item->joinpoint, .id = item->async_id};
	return r;
}

static void end_call(struct pfw_process *process, struct pfw_lane *lane, struct pfw_item *item)
{
	size_t n = lane->n_asyncs;

	while (n > 0 && lane->asyncs[n - 1].joinpoint != item->joinpoint)
		n--;
	if (n == 0) { /* it began before we looked */
		item->async_id = process->n_asyncs++;
		return;
	}
	lane->n_asyncs = n - 1;
	item->async_id = lane->asyncs[n - 1].id;
}

static int begin_alone(struct pfw_process *process, struct pfw_item *item)
{
	const struct pfw_end end = {.id = process->n_asyncs, .scope = scope_of(item)};

	item->async_id = process->n_asyncs++;
	return keep(&process->begins, &end);
}

/* The oldest one of its scope; a moment in between leaves it there. */
static void end_alone(struct pfw_process *process, struct pfw_item *item)
{
	struct pfw_waiting *begins = &process->begins;
	uint64_t scope = scope_of(item);

	for (size_t i = 0; i < begins->n_items; i++) {
		if (begins->items[i].scope != scope)
			continue;
		item->async_id = begins->items[i].id;
		if (item->phase == 'e')
			forget(begins, i);
		return;
	}
	item->async_id = process->n_asyncs++;
}

int pfw_pair_async(struct pfw_process *process, struct pfw_lane *lane, struct pfw_item *item,
		   enum pf_moment moment)
{
	if (item->label->kind == SINK_ASYNC_SPAN && moment == PF_MOMENT_ENTRY)
		return begin_call(process, lane, item);
	if (item->label->kind == SINK_ASYNC_SPAN)
		end_call(process, lane, item);
	else if (item->label->kind == SINK_ASYNC_BEGIN)
		return begin_alone(process, item);
	else
		end_alone(process, item);
	return 0;
}

/* Of what is at one side only, that one; of a call with one word, its entry. */
char pfw_flow_phase(const struct pfw_item *item, enum pfw_side side)
{
	bool is_alone = item->phase != PFW_SPAN && item->label->kind != SINK_ASYNC_SPAN;

	switch (item->label->flow) {
	case SINK_FLOW_IN:
		return side == PFW_ENTRY || is_alone ? 'f' : 0;
	case SINK_FLOW_OUT:
		return side == PFW_ENTRY || is_alone ? 's' : 0;
	case SINK_FLOW_INOUT:
		return side == PFW_ENTRY ? 'f' : 's';
	case SINK_FLOW_OUTIN:
		return side == PFW_ENTRY ? 's' : 'f';
	default:
		return 0;
	}
}

/* The oldest that is on the right side of that time. */
static bool take_waiting(struct pfw_waiting *waiting, uint64_t time_ns, bool is_later,
			 uint64_t *ret_id)
{
	for (size_t i = 0; i < waiting->n_items; i++) {
		const struct pfw_end *end = &waiting->items[i];

		if (is_later ? end->time_ns < time_ns : end->time_ns > time_ns)
			continue;
		*ret_id = end->id;
		forget(waiting, i);
		return true;
	}
	return false;
}

static int pair_flow(struct pfw_process *process, struct pfw_item *item, enum pfw_side side,
		     uint64_t time_ns)
{
	char phase = pfw_flow_phase(item, side);
	bool is_out = phase == 's';
	struct pfw_end end = {.time_ns = time_ns};

	if (!phase)
		return 0;
	if (take_waiting(is_out ? &process->ins : &process->outs, time_ns, is_out,
			 &item->flow_ids[side]))
		return 0;
	item->flow_ids[side] = end.id = FIRST_FLOW + process->n_flows++;
	return keep(is_out ? &process->outs : &process->ins, &end);
}

int pfw_pair_flows(struct pfw_process *process, struct pfw_item *item, enum pf_moment moment)
{
	int r = 0;

	if (item->phase == PFW_SPAN || moment == PF_MOMENT_ENTRY)
		r = pair_flow(process, item, PFW_ENTRY, item->start_ns);
	if (r == 0 && (item->phase == PFW_SPAN || moment == PF_MOMENT_RETURN))
		r = pair_flow(process, item, PFW_EXIT, item->end_ns);
	return r;
}
