/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A call is told of when it has returned, after those that it made; in the file it begins before
 * them. So what a thread did waits in its lane until the outermost call has returned. What has
 * waited too long, or has become too much, is written at once: for each call that is still open
 * around it, a gap is left, where its beginning is put when it returns.
 *
 * Times are whole microseconds, as PerfFlowAspect has them, and calls are shorter. Those on one
 * lane never go back; a beginning inside of another, and an end behind its beginning or that of an
 * inner call, are a microsecond later at least: what readers make a tree of stays a tree. Where too
 * much happens in a microsecond for that, what is written is MAX_LEAD_US late at most.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/pfw_internal.h"

#define MAX_ITEMS   4096
#define MAX_GAPS    512
#define AGE_NS	    1000000000ULL
#define MAX_LEAD_US 16

struct writer { /* of what a lane holds */
	struct pfw *pfw;
	struct pfw_process *process;
	struct pfw_lane *lane;
	bool leaves_gaps;
	struct pfw_item **stack; /* that have begun */
	size_t depth;
};

static void item_done(struct pfw_item *item)
{
	free(item->name);
	free(item->category);
	free(item->scope);
}

void pfw_lane_free(struct pfw_lane *lane)
{
	for (size_t i = 0; i < lane->n_items; i++)
		item_done(&lane->items[i]);
	free(lane->items);
	free(lane->gaps);
	free(lane->asyncs);
	free(lane);
}

static uint64_t real_us(const struct writer *writer, uint64_t boot_ns)
{
	return clock_real_ns(&writer->pfw->clock, boot_ns) / 1000;
}

static uint64_t place(struct pfw_lane *lane, uint64_t us, bool is_end)
{
	uint64_t least = lane->last_us + (lane->was_begin || is_end);

	if (us < least)
		us = least - us <= MAX_LEAD_US ? least : lane->last_us;
	lane->last_us = us;
	return us;
}

static uint64_t place_begin(struct writer *writer, uint64_t boot_ns)
{
	uint64_t us = place(writer->lane, real_us(writer, boot_ns), false);

	writer->lane->was_begin = true;
	return us;
}

static uint64_t place_end(struct writer *writer, uint64_t boot_ns)
{
	uint64_t us = place(writer->lane, real_us(writer, boot_ns), true);

	writer->lane->was_begin = false;
	return us;
}

static int write_flow(struct writer *writer, const struct pfw_item *item, enum pfw_side side,
		      uint64_t boot_ns)
{
	uint64_t us;

	if (item->flow_ids[side] == PFW_NO_FLOW)
		return 0;
	us = place(writer->lane, real_us(writer, boot_ns), false);
	writer->lane->was_begin = false;
	return pfw_flow(writer->pfw, writer->process, writer->lane->tid, item, side, us);
}

/* Gaps */

static int grow_gaps(struct pfw_lane *lane, size_t n)
{
	struct pfw_gap *gaps = reallocarray(lane->gaps, n, sizeof(*gaps));

	if (!gaps)
		return -ENOMEM;
	memset(gaps + lane->n_gaps, 0, (n - lane->n_gaps) * sizeof(*gaps));
	lane->gaps = gaps;
	lane->n_gaps = n;
	return 0;
}

/* For the calls around an item that is not inside of any that is known: between what was written
 * last and it. */
static int leave_gaps(struct writer *writer, const struct pfw_item *item, uint64_t after_us)
{
	struct pfw_lane *lane = writer->lane;
	int r = 0;

	if (item->depth > MAX_GAPS)
		return 0;
	if (item->depth > lane->n_gaps)
		r = grow_gaps(lane, item->depth);
	for (size_t i = 0; r == 0 && i < item->depth; i++) {
		if (lane->gaps[i].is_open)
			continue;
		lane->gaps[i] = (struct pfw_gap){
			.is_open = true,
			.after_us = after_us,
			.before_us = item->begin_us,
		};
		if (writer->process->options.is_compact)
			continue;
		lane->gaps[i].has_room = true;
		r = pfw_file_leave_room(writer->process->file, &lane->gaps[i].room);
	}
	return r;
}

/* What was inside of a call is over with it. */
static void close_gaps(struct pfw_lane *lane, uint16_t depth)
{
	for (size_t i = depth; i < lane->n_gaps; i++)
		lane->gaps[i].is_open = false;
}

/* The gap that was left for it, and not for another one that was as deep. */
static struct pfw_gap *find_gap(struct writer *writer, const struct pfw_item *item)
{
	struct pfw_lane *lane = writer->lane;

	if (item->depth >= lane->n_gaps || !lane->gaps[item->depth].is_open ||
	    real_us(writer, item->start_ns) > lane->gaps[item->depth].before_us)
		return NULL;
	return &lane->gaps[item->depth];
}

/* Its place in time is before all that was written of what is inside of it. */
static int begin_in_gap(struct writer *writer, struct pfw_item *item, struct pfw_gap *gap)
{
	uint64_t us = real_us(writer, item->start_ns);
	int r = -EMSGSIZE;

	if (us >= gap->before_us)
		us = gap->before_us - 1;
	if (us < gap->after_us)
		us = gap->after_us;
	item->begin_us = us;
	gap->is_open = false;
	if (gap->has_room)
		r = pfw_begin(writer->pfw, writer->process, writer->lane->tid, item, us,
			      &gap->room);
	if (r == -EMSGSIZE)
		r = pfw_begin(writer->pfw, writer->process, writer->lane->tid, item, us, NULL);
	if (r < 0 || item->flow_ids[PFW_ENTRY] == PFW_NO_FLOW)
		return r;
	return pfw_flow(writer->pfw, writer->process, writer->lane->tid, item, PFW_ENTRY, us + 1);
}

/* Order */

static int begin(struct writer *writer, struct pfw_item *item)
{
	struct pfw_gap *gap = find_gap(writer, item);
	uint64_t before_us = writer->lane->last_us;
	int r = 0;

	writer->stack[writer->depth++] = item;
	if (gap)
		return begin_in_gap(writer, item, gap);
	item->begin_us = place_begin(writer, item->start_ns);
	if (writer->leaves_gaps && writer->depth == 1 && item->depth != PFW_NO_DEPTH)
		r = leave_gaps(writer, item, before_us);
	r = r
		    ?: pfw_begin(writer->pfw, writer->process, writer->lane->tid, item,
				 item->begin_us, NULL);
	return r ?: write_flow(writer, item, PFW_ENTRY, item->start_ns);
}

static int end_innermost(struct writer *writer)
{
	const struct pfw_item *item = writer->stack[--writer->depth];
	uint64_t us;
	int r;

	if (item->depth != PFW_NO_DEPTH)
		close_gaps(writer->lane, item->depth);
	r = write_flow(writer, item, PFW_EXIT, item->end_ns);
	us = place_end(writer, item->end_ns);
	return r ?: pfw_end(writer->pfw, writer->process, writer->lane->tid, item, us);
}

static int write_point(struct writer *writer, const struct pfw_item *item)
{
	bool is_begin = item->phase == 'B';
	uint64_t us;
	int r;

	r = is_begin ? 0 : write_flow(writer, item, PFW_EXIT, item->start_ns);
	us = place(writer->lane, real_us(writer, item->start_ns), item->phase == 'E');
	writer->lane->was_begin = is_begin;
	r = r ?: pfw_point(writer->pfw, writer->process, writer->lane->tid, item, us);
	return r ?: write_flow(writer, item, PFW_ENTRY, item->start_ns);
}

/* Where two begin at once the outer one, else the one that was told of first. */
static int by_begin(const void *a, const void *b)
{
	const struct pfw_item *left = a, *right = b;

	if (left->start_ns != right->start_ns)
		return left->start_ns < right->start_ns ? -1 : 1;
	if (left->end_ns != right->end_ns)
		return left->end_ns > right->end_ns ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

static int write_items(struct writer *writer)
{
	struct pfw_lane *lane = writer->lane;
	int r = 0;

	qsort(lane->items, lane->n_items, sizeof(*lane->items), by_begin);
	for (size_t i = 0; r == 0 && i < lane->n_items; i++) {
		struct pfw_item *item = &lane->items[i];

		while (r == 0 && writer->depth > 0 &&
		       writer->stack[writer->depth - 1]->end_ns <= item->start_ns)
			r = end_innermost(writer);
		if (r == 0)
			r = item->phase == PFW_SPAN ? begin(writer, item)
						    : write_point(writer, item);
	}
	while (r == 0 && writer->depth > 0)
		r = end_innermost(writer);
	return r;
}

static int write_lane(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane,
		      bool leaves_gaps)
{
	struct writer writer = {
		.pfw = pfw, .process = process, .lane = lane, .leaves_gaps = leaves_gaps};
	int r = 0;

	if (lane->n_items == 0)
		return 0;
	writer.stack = reallocarray(NULL, lane->n_items, sizeof(struct pfw_item *));
	r = writer.stack ? write_items(&writer) : -ENOMEM;
	free(writer.stack);
	for (size_t i = 0; i < lane->n_items; i++)
		item_done(&lane->items[i]);
	lane->n_items = 0;
	return r;
}

int pfw_lane_write(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane)
{
	int r = write_lane(pfw, process, lane, false);

	close_gaps(lane, 0);
	return r;
}

int pfw_lane_add(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane,
		 const struct pfw_item *item, uint64_t now_ns)
{
	int r;

	r = array_grow(&lane->items, lane->n_items, sizeof(*item));
	if (r < 0) {
		free(item->name);
		free(item->category);
		free(item->scope);
		return r;
	}
	if (lane->n_items == 0)
		lane->since_ns = now_ns;
	lane->items[lane->n_items] = *item;
	lane->items[lane->n_items].number = lane->n_items;
	lane->n_items++;
	if (item->phase == PFW_SPAN && item->depth == 0)
		return pfw_lane_write(pfw, process, lane);
	return lane->n_items < MAX_ITEMS ? 0 : write_lane(pfw, process, lane, true);
}

int pfw_lane_age(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane,
		 uint64_t now_ns)
{
	if (lane->n_items == 0 || now_ns < lane->since_ns + AGE_NS)
		return 0;
	return write_lane(pfw, process, lane, true);
}
