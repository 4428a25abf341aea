/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * An E without a B of its name may come from a function whose entry was not logged, and a B without
 * an E from one that was left by an exception: PerfFlowAspect's runtime writes both. So an E ends
 * the innermost open call of its name, and with it those inside, which were unwound.
 */
#include "reader/calls.h"

#include <errno.h>
#include <string.h>

#include "util/text.h"

struct open_call {
	struct json_object *json;
	const char *name, *category; /* in json */
	int64_t start_ns;
	uint64_t number, line;
};

void calls_init(struct calls *calls, struct lanes *lanes)
{
	*calls = (struct calls){.lanes = lanes};
}

void calls_done(struct calls *calls)
{
	for (size_t i = 0; i < calls->lanes->n_items; i++) {
		struct lane *lane = calls->lanes->items[i];

		while (lane->n_open_calls)
			json_object_put(lane->open_calls[--lane->n_open_calls].json);
		free(take_ptr(lane->open_calls));
	}
	json_object_put(take_ptr(calls->given));
}

static int take_begin(struct lane *lane, const struct trace_event *event)
{
	int r;

	r = array_grow(&lane->open_calls, lane->n_open_calls, sizeof(*lane->open_calls));
	if (r < 0)
		return r;
	lane->open_calls[lane->n_open_calls++] = (struct open_call){
		.json = json_object_get(event->json),
		.name = event->name,
		.category = event->category,
		.start_ns = event->time_ns,
		.number = event->number,
		.line = event->line,
	};
	return 0;
}

static int take_end(struct calls *calls, struct lane *lane, const struct trace_event *event)
{
	for (size_t i = lane->n_open_calls; i-- > 0;) {
		if (event->has & EVENT_NAME && strcmp(lane->open_calls[i].name, event->name) != 0)
			continue;
		calls->closing = lane;
		calls->closing_ns = event->time_ns;
		calls->closing_number = event->number;
		calls->n_closing = lane->n_open_calls - i;
		return 0;
	}
	return -ENOMSG;
}

static void take_whole(struct calls *calls, struct lane *lane, const struct trace_event *event)
{
	calls->has_ready = true;
	calls->ready = (struct call){
		.lane = lane,
		.start_ns = event->time_ns,
		.end_ns = event->time_ns + event->duration_ns,
		.name = event->name,
		.category = event->category,
		.json = event->json,
		.args = event->args,
		.number = event->number,
		.line = event->line,
		.end_number = event->number,
	};
}

static bool fits(const struct trace_event *event)
{
	int64_t end_ns;

	if (!(event->has & EVENT_TIME))
		return false;
	return event->phase != 'X' ||
	       (event->has & EVENT_DURATION && event->duration_ns >= 0 &&
		!__builtin_add_overflow(event->time_ns, event->duration_ns, &end_ns));
}

int calls_push(struct calls *calls, const struct trace_event *event)
{
	struct lane *lane;
	int64_t end_ns;

	if (event->has & EVENT_TIME && fits(event)) {
		end_ns = event->time_ns + (event->phase == 'X' ? event->duration_ns : 0);
		if (end_ns > calls->last_ns)
			calls->last_ns = end_ns;
	}
	if ((event->phase != 'X' && event->phase != 'B' && event->phase != 'E') ||
	    event_is_arrow(event))
		return 0;
	if (!fits(event))
		return -ERANGE;
	lane = lanes_find(calls->lanes, event->pid, event->tid);
	if (!lane)
		return -ENOMEM;
	if (event->phase == 'B')
		return take_begin(lane, event);
	if (event->phase == 'E')
		return take_end(calls, lane, event);
	take_whole(calls, lane, event);
	return 0;
}

void calls_finish(struct calls *calls)
{
	calls->is_finishing = true;
	calls->next_lane = 0;
}

/* The next lane whose calls were not ended, to be closed. */
static void close_next_lane(struct calls *calls)
{
	while (calls->n_closing == 0 && calls->next_lane < calls->lanes->n_items) {
		calls->closing = calls->lanes->items[calls->next_lane++];
		calls->n_closing = calls->closing->n_open_calls;
		calls->closing_ns = calls->last_ns;
		calls->closing_number = 0;
	}
}

bool calls_pop(struct calls *calls, struct call *ret_call)
{
	struct open_call *open;

	json_object_put(take_ptr(calls->given));
	if (calls->has_ready) {
		*ret_call = calls->ready;
		calls->has_ready = false;
		return true;
	}
	if (calls->is_finishing)
		close_next_lane(calls);
	if (calls->n_closing == 0)
		return false;

	open = &calls->closing->open_calls[--calls->closing->n_open_calls];
	calls->n_closing--;
	calls->given = open->json;
	*ret_call = (struct call){
		.lane = calls->closing,
		.start_ns = open->start_ns,
		.end_ns = calls->closing_ns > open->start_ns ? calls->closing_ns : open->start_ns,
		.name = open->name,
		.category = open->category,
		.json = open->json,
		.args = json_member(open->json, "args", json_type_object),
		.end = calls->is_finishing ? "cut_off"
		       : calls->n_closing  ? "unwound"
					   : NULL,
		.number = open->number,
		.line = open->line,
		.end_number = calls->closing_number,
	};
	return true;
}
