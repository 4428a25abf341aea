/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A trace has a call where it ended, the inner ones before the outer ones: while it is read, no
 * call is known to be without a parent, and all would have to be kept. So they are sorted by their
 * begin, on disk if they are many. Then the calls that are open make a stack, and that is all there
 * is.
 */
#include "reader/nest.h"

#include <errno.h>
#include <string.h>

#include "reader/sorter.h"
#include "util/text.h"

struct frame {
	struct nest_item item;
	int64_t inner_ns; /* time of the calls that lie in it */
};

struct nest {
	struct sorter *sorter;
	struct frame *stack;
	size_t depth;
	struct nest_item next; /* what comes after the calls that end before it */
	bool has_next, is_started;
	struct nest_item last; /* the call that was entered last */
	bool has_last;
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_times(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_items(const void *left, const void *right)
{
	const struct nest_item *a = left, *b = right;

	if (a->process != b->process)
		return compare_numbers(a->process, b->process);
	if (a->lane != b->lane)
		return compare_numbers(a->lane, b->lane);
	if (a->start_ns != b->start_ns)
		return compare_times(a->start_ns, b->start_ns);
	if (a->is_point != b->is_point)
		return compare_numbers(a->is_point, b->is_point);
	if (a->end_ns != b->end_ns)
		return compare_times(b->end_ns, a->end_ns);
	return a->is_point ? compare_numbers(a->number, b->number)
			   : compare_numbers(b->number, a->number);
}

int nest_new(size_t max_bytes, struct nest **ret_nest)
{
	_cleanup_(nest_freep) struct nest *nest = calloc(1, sizeof(*nest));
	int r;

	if (!nest)
		return -ENOMEM;
	r = sorter_new(sizeof(struct nest_item), compare_items, max_bytes, &nest->sorter);
	if (r < 0)
		return r;
	*ret_nest = take_ptr(nest);
	return 0;
}

void nest_free(struct nest *nest)
{
	if (!nest)
		return;
	sorter_free(nest->sorter);
	free(nest->stack);
	free(nest);
}

int nest_add(struct nest *nest, const struct nest_item *item, struct why *why)
{
	return sorter_add(nest->sorter, item, why);
}

static int read_next(struct nest *nest, struct why *why)
{
	const void *record;
	int r;

	r = sorter_next(nest->sorter, &record, why);
	nest->has_next = r > 0;
	if (r > 0)
		memcpy(&nest->next, record, sizeof(nest->next));
	return r < 0 ? r : 0;
}

/* Whether the innermost open call ends before what comes next. */
static bool ends_before_next(const struct nest *nest)
{
	const struct nest_item *top = &nest->stack[nest->depth - 1].item, *next = &nest->next;

	if (!nest->has_next || next->process != top->process || next->lane != top->lane)
		return true;
	return next->is_point ? top->end_ns < next->start_ns : top->end_ns <= next->start_ns;
}

static void leave(struct nest *nest, struct nest_step *step)
{
	const struct frame *frame = &nest->stack[--nest->depth];
	int64_t duration_ns = frame->item.end_ns - frame->item.start_ns;

	*step = (struct nest_step){
		.what = NEST_LEAVE,
		.item = frame->item,
		.depth = nest->depth,
		.self_ns = duration_ns - frame->inner_ns,
	};
	if (nest->depth)
		nest->stack[nest->depth - 1].inner_ns += duration_ns;
}

static void find_fault(const struct nest *nest, struct nest_step *step)
{
	const struct nest_item *item = &step->item, *last = &nest->last;
	const struct nest_item *top = nest->depth ? &nest->stack[nest->depth - 1].item : NULL;

	if (nest->has_last && last->process == item->process && last->lane == item->lane &&
	    last->start_ns == item->start_ns) {
		step->fault = NEST_SAME_START;
		step->other_line = last->line;
	}
	if (top && item->end_ns > top->end_ns) {
		step->fault = NEST_STICKS_OUT;
		step->other_line = top->line;
		step->item.end_ns = top->end_ns;
	}
}

static int enter(struct nest *nest, struct nest_step *step)
{
	int r;

	r = array_grow(&nest->stack, nest->depth, sizeof(*nest->stack));
	if (r < 0)
		return r;
	*step = (struct nest_step){.what = NEST_ENTER, .item = nest->next, .depth = nest->depth};
	find_fault(nest, step);
	nest->last = nest->next;
	nest->has_last = true;
	nest->stack[nest->depth++] = (struct frame){.item = step->item};
	return 0;
}

int nest_next(struct nest *nest, struct nest_step *ret_step, struct why *why)
{
	int r;

	if (!nest->is_started) {
		nest->is_started = true;
		r = read_next(nest, why);
		if (r < 0)
			return r;
	}
	if (nest->depth && ends_before_next(nest)) {
		leave(nest, ret_step);
		return 1;
	}
	if (!nest->has_next)
		return 0;
	if (nest->next.is_point) {
		*ret_step = (struct nest_step){
			.what = NEST_POINT,

			.item = nest->next,
			.depth = nest->depth,
		};
	} else {
		r = enter(nest, ret_step);
		if (r < 0)
			return r;
	}
	r = read_next(nest, why);
	return r < 0 ? r : 1;
}
