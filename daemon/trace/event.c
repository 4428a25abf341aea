/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A record is accepted whole or not at all: whoever comes later may rely on every field. The kernel
 * side is ours, but the rings hold what traced programs had a part in (names, arguments), and a
 * replayed file may hold anything.
 *
 * Spans without items are all but a handful of the records, so they are checked in a few
 * comparisons and copied once. What is large (a process) or has no fixed size (items) goes on the
 * heap, so that those that wait in order.c are little more than a span.
 */
#include "trace/event.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define MAX_PID	    0x7fffffffU
#define MAX_TIME_NS ((uint64_t)1 << 63) /* so that no sum of two overflows */
#define MAX_CPUS    65536

static const struct size_range {
	uint16_t least, most;
} sizes[] = {
	[PF_EVENT_SPAN] = {sizeof(struct pf_span), UINT16_MAX},
	[PF_EVENT_PROCESS] = {sizeof(struct pf_process_seen), sizeof(struct pf_process_seen)},
	[PF_EVENT_THREAD] = {sizeof(struct pf_thread_seen), sizeof(struct pf_thread_seen)},
	[PF_EVENT_PROCESS_END] = {sizeof(struct pf_process_end), sizeof(struct pf_process_end)},
	[PF_EVENT_MARK] = {sizeof(struct pf_mark), UINT16_MAX},
	[PF_EVENT_PROCESS_TEXT] = {sizeof(struct pf_process_text), sizeof(struct pf_process_text)},
	[PF_EVENT_FORK] = {sizeof(struct pf_fork), sizeof(struct pf_fork)},
	[PF_EVENT_SWITCH] = {sizeof(struct pf_switch), sizeof(struct pf_switch)},
	[PF_EVENT_WAKE] = {sizeof(struct pf_wake), sizeof(struct pf_wake)},
};

/* The bytes of a value, with what fills it up. */
static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static bool value_is_possible(const struct pf_item *item)
{
	if (item->is_missing)
		return true;
	switch (item->kind) {
	case PF_ITEM_ARGUMENT:
	case PF_ITEM_RETURN:
		return item->size <= PF_MAX_STRING_BYTES;
	case PF_ITEM_STACK:
		return item->size % sizeof(uint64_t) == 0;
	default:
		return item->size == sizeof(uint64_t);
	}
}

static unsigned int n_indices(unsigned int kind)
{
	switch (kind) {
	case PF_ITEM_ARGUMENT:
	case PF_ITEM_RETURN:
	case PF_ITEM_ID:
		return PF_MAX_CAPTURES;
	case PF_ITEM_METRIC:
		return PF_N_METRICS;
	default:
		return 1;
	}
}

/* No value comes twice, be it once of the entry and once of the return. */
static bool is_seen(const uint32_t seen[PF_N_ITEM_KINDS], const struct pf_item *item)
{
	uint32_t bit = 1U << item->index;

	switch (item->kind) {
	case PF_ITEM_ARGUMENT:
	case PF_ITEM_RETURN:
		return (seen[PF_ITEM_ARGUMENT] | seen[PF_ITEM_RETURN]) & bit;
	case PF_ITEM_ID:
		return seen[PF_ITEM_ID];
	default:
		return seen[item->kind] & bit;
	}
}

static bool items_are_possible(const char *data, size_t size)
{
	uint32_t seen[PF_N_ITEM_KINDS] = {};
	struct pf_item item;
	size_t whole;

	for (; size > 0; data += whole, size -= whole) {
		if (size < sizeof(item))
			return false;
		memcpy(&item, data, sizeof(item));
		whole = sizeof(item) + padded(item.size);
		if (whole > size || item.kind == 0 || item.kind >= PF_N_ITEM_KINDS ||
		    item.index >= n_indices(item.kind) || item.is_missing > 1 || item.is_cut > 1 ||
		    !value_is_possible(&item) || is_seen(seen, &item))
			return false;
		seen[item.kind] |= 1U << item.index;
	}
	return true;
}

/* What follows a span or mark of that size. */
static int decode_items(const char *data, size_t size, struct event *ret_event)
{
	if (!items_are_possible(data, size))
		return -EBADMSG;
	ret_event->items = malloc(size);
	if (!ret_event->items)
		return -ENOMEM;
	memcpy(ret_event->items, data, size);
	return 0;
}

static bool span_is_possible(const struct pf_span *span)
{
	uint64_t rest = span->duration_ns;

	/* each is taken from what the ones before it left, so that no sum overflows */
	if (span->oncpu_ns > rest)
		return false;
	rest -= span->oncpu_ns;
	if (span->runnable_ns > rest)
		return false;
	rest -= span->runnable_ns;

	return span->io_ns <= rest && span->duration_ns < MAX_TIME_NS - span->event.time_ns &&
	       span->begin < PF_N_BEGINS && span->end < PF_N_ENDS;
}

static int decode_span(const void *data, size_t size, struct event *ret_event)
{
	struct pf_span span;
	int r;

	memcpy(&span, data, sizeof(span));
	if (!span_is_possible(&span))
		return -EBADMSG;
	if (size > sizeof(span)) {
		r = decode_items((const char *)data + sizeof(span), size - sizeof(span), ret_event);
		if (r < 0)
			return r;
	} else {
		ret_event->items = NULL;
	}

	ret_event->order_ns = span.event.time_ns + span.duration_ns;
	ret_event->span = span;
	return 0;
}

static int decode_mark(const void *data, size_t size, struct event *ret_event)
{
	struct pf_mark mark;
	int r;

	memcpy(&mark, data, sizeof(mark));
	if (mark.moment >= PF_N_MOMENTS || mark.end >= PF_N_ENDS)
		return -EBADMSG;
	ret_event->items = NULL;
	if (size > sizeof(mark)) {
		r = decode_items((const char *)data + sizeof(mark), size - sizeof(mark), ret_event);
		if (r < 0)
			return r;
	}

	ret_event->mark = mark;
	return 0;
}

static bool has_end(const char comm[PF_COMM_BYTES])
{
	return memchr(comm, '\0', PF_COMM_BYTES) != NULL;
}

static bool process_is_possible(const struct pf_process_seen *process)
{
	return has_end(process->comm) && process->command_line_bytes <= PF_COMMAND_LINE_BYTES &&
	       process->ppid <= MAX_PID && process->has_executed <= 1;
}

static bool text_is_possible(const struct pf_process_text *text)
{
	return text->what > 0 && text->what < PF_N_TEXTS && text->bytes <= PF_TEXT_BYTES &&
	       (size_t)text->offset + text->bytes <= PF_MAX_ENVIRONMENT_BYTES &&
	       text->is_last <= 1 && text->is_cut <= 1;
}

static bool switch_is_possible(const struct pf_switch *cpu_switch)
{
	return cpu_switch->cpu < MAX_CPUS && cpu_switch->left_pid <= MAX_PID &&
	       cpu_switch->left_tid <= MAX_PID && cpu_switch->left_state < PF_N_THREAD_STATES &&
	       has_end(cpu_switch->comm);
}

static bool wake_is_possible(const struct pf_wake *wake)
{
	return wake->cpu < MAX_CPUS && wake->waker_pid <= MAX_PID && wake->waker_tid <= MAX_PID &&
	       wake->lead_ns <= wake->event.time_ns;
}

static bool fork_is_possible(const struct pf_fork *fork)
{
	return fork->parent_pid <= MAX_PID && fork->parent_tid <= MAX_PID;
}

/* Records that are as large as their kind, and not held by value. */
static int decode_large(const void *data, size_t size, struct event *ret_event)
{
	union {
		struct pf_event header;
		struct pf_process_seen process;
		struct pf_process_text text;
	} * record;
	bool is_possible;

	record = malloc(size);
	if (!record)
		return -ENOMEM;
	memcpy(record, data, size);
	is_possible = record->header.kind == PF_EVENT_PROCESS
			      ? process_is_possible(&record->process)
			      : text_is_possible(&record->text);
	if (!is_possible) {
		free(record);
		return -EBADMSG;
	}
	ret_event->header = record->header;
	ret_event->owned = record;
	return 0;
}

/* Those that are. */
static int decode_small(const void *data, size_t size, struct event *ret_event)
{
	struct event event;
	bool is_possible = true;

	memcpy(&event.header, data, size);
	switch (event.header.kind) {
	case PF_EVENT_THREAD:
		is_possible = has_end(event.thread.comm);
		break;
	case PF_EVENT_FORK:
		is_possible = fork_is_possible(&event.fork);
		break;
	case PF_EVENT_SWITCH:
		is_possible = switch_is_possible(&event.cpu_switch);
		break;
	case PF_EVENT_WAKE:
		is_possible = wake_is_possible(&event.wake);
		break;
	}
	if (!is_possible)
		return -EBADMSG;
	memcpy(&ret_event->header, data, size);
	ret_event->owned = NULL;
	return 0;
}

int event_decode(const void *data, size_t size, struct event *ret_event)
{
	struct pf_event header;
	int r;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	if (header.size != size || header.time_ns >= MAX_TIME_NS || header.pid > MAX_PID ||
	    header.tid > MAX_PID)
		return -EBADMSG;
	if (header.kind >= ARRAY_SIZE(sizes) || size < sizes[header.kind].least ||
	    size > sizes[header.kind].most)
		return -EBADMSG;

	switch (header.kind) {
	case PF_EVENT_SPAN:
		return decode_span(data, size, ret_event);
	case PF_EVENT_MARK:
		r = decode_mark(data, size, ret_event);
		break;
	case PF_EVENT_PROCESS:
	case PF_EVENT_PROCESS_TEXT:
		r = decode_large(data, size, ret_event);
		break;
	default:
		r = decode_small(data, size, ret_event);
		break;
	}
	if (r == 0)
		ret_event->order_ns = header.time_ns;
	return r;
}

void event_done(struct event *event)
{
	free(event->owned);
	event->owned = NULL;
}

/* Where the items begin that stand behind a record's fixed part. */
static size_t fixed_size(const struct event *event)
{
	return event->header.kind == PF_EVENT_SPAN ? sizeof(struct pf_span)
						   : sizeof(struct pf_mark);
}

const struct pf_item *event_next_item(const struct event *event, const struct pf_item *item)
{
	const char *next, *end;

	if (!event->items)
		return NULL;
	if (!item)
		return event->items;
	next = (const char *)(item + 1) + padded(item->size);
	end = (const char *)event->items + event->header.size - fixed_size(event);
	return next < end ? (const struct pf_item *)next : NULL;
}

const char *event_end_name(unsigned int end)
{
	static const char *const names[PF_N_ENDS] = {
		[PF_END_UNWOUND] = "unwound",		[PF_END_THREAD_EXIT] = "thread_exit",
		[PF_END_PROCESS_EXIT] = "process_exit", [PF_END_EXEC] = "exec",
		[PF_END_SESSION_STOP] = "session_stop",
		[PF_END_PAUSED] = "paused",
	};

	return end < PF_N_ENDS ? names[end] : NULL;
}

const char *event_counter_name(unsigned int counter)
{
	static const char *const names[PF_N_COUNTERS] = {
		[PF_LOST_RING_FULL] = "ring_full",
		[PF_LOST_TOO_DEEP] = "too_deep",
		[PF_LOST_NO_THREAD_STATE] = "no_thread_state",
		[PF_LOST_NO_PROCESS] = "no_process",
		[PF_LOST_ITEMS] = "items",
		[PF_LOST_OVER_RATE] = "over_rate",
		[PF_COUNT_ENTERED_BEFORE] = "entered_before",
		[PF_COUNT_SHORT] = "short",
		[PF_COUNT_SAMPLED_OUT] = "sampled_out",
		[PF_COUNT_LIMITED] = "limited",
	};

	return counter < PF_N_COUNTERS ? names[counter] : NULL;
}

const char *event_loss_name(unsigned int loss)
{
	return loss < PF_N_LOSSES ? event_counter_name(loss) : NULL;
}
