/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A record is accepted whole or not at all: whoever comes later may rely on every field. The kernel
 * side is ours, but the rings hold what traced programs had a part in (names, arguments), and a
 * replayed file may hold anything.
 *
 * Spans are all but a handful of the records, so they are checked in a few comparisons and copied
 * once. The one record that is large, of a process, goes on the heap, so that those that wait in
 * order.c are as small as a span.
 */
#include "trace/event.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define MAX_PID	    0x7fffffffU
#define MAX_TIME_NS ((uint64_t)1 << 63) /* so that no sum of two overflows */

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
	       span->begin < PF_N_BEGINS && span->end < PF_N_ENDS && span->reserved == 0;
}

static int decode_span(const void *data, struct event *ret_event)
{
	struct pf_span span;

	memcpy(&span, data, sizeof(span));
	if (!span_is_possible(&span))
		return -EBADMSG;

	ret_event->order_ns = span.event.time_ns + span.duration_ns;
	ret_event->span = span;
	return 0;
}

static bool has_end(const char comm[PF_COMM_BYTES])
{
	return memchr(comm, '\0', PF_COMM_BYTES) != NULL;
}

static int decode_process(const void *data, struct event *ret_event)
{
	_cleanup_free_ struct pf_process_seen *process = NULL;

	process = malloc(sizeof(*process));
	if (!process)
		return -ENOMEM;

	memcpy(process, data, sizeof(*process));
	if (!has_end(process->comm) || process->command_line_bytes > PF_COMMAND_LINE_BYTES ||
	    process->ppid > MAX_PID)
		return -EBADMSG;

	ret_event->order_ns = process->event.time_ns;
	ret_event->process_header = process->event;
	ret_event->process = take_ptr(process);
	return 0;
}

static int decode_thread(const void *data, struct event *ret_event)
{
	struct pf_thread_seen thread;

	memcpy(&thread, data, sizeof(thread));
	if (!has_end(thread.comm))
		return -EBADMSG;

	ret_event->order_ns = thread.event.time_ns;
	ret_event->thread = thread;
	return 0;
}

static int decode_process_end(const void *data, struct event *ret_event)
{
	struct pf_process_end end;

	memcpy(&end, data, sizeof(end));
	ret_event->order_ns = end.event.time_ns;
	ret_event->process_end = end;
	return 0;
}

static int decode_mark(const struct pf_event *header, struct event *ret_event)
{
	ret_event->order_ns = header->time_ns;
	ret_event->header = *header;
	return 0;
}

int event_decode(const void *data, size_t size, struct event *ret_event)
{
	struct pf_event header;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	if (header.size != size || header.time_ns >= MAX_TIME_NS || header.pid > MAX_PID ||
	    header.tid > MAX_PID)
		return -EBADMSG;

	switch (header.kind) {
	case PF_EVENT_SPAN:
		return size == sizeof(struct pf_span) ? decode_span(data, ret_event) : -EBADMSG;
	case PF_EVENT_PROCESS:
		return size == sizeof(struct pf_process_seen) ? decode_process(data, ret_event)
							      : -EBADMSG;
	case PF_EVENT_THREAD:
		return size == sizeof(struct pf_thread_seen) ? decode_thread(data, ret_event)
							     : -EBADMSG;
	case PF_EVENT_PROCESS_END:
		return size == sizeof(struct pf_process_end) ? decode_process_end(data, ret_event)
							     : -EBADMSG;
	case PF_EVENT_MARK:
		return size == sizeof(struct pf_event) ? decode_mark(&header, ret_event) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

void event_done(struct event *event)
{
	if (event->header.kind != PF_EVENT_PROCESS)
		return;
	free(event->process);
	event->process = NULL;
}

const char *event_end_name(unsigned int end)
{
	static const char *const names[PF_N_ENDS] = {
		[PF_END_UNWOUND] = "unwound",		[PF_END_THREAD_EXIT] = "thread_exit",
		[PF_END_PROCESS_EXIT] = "process_exit", [PF_END_EXEC] = "exec",
		[PF_END_SESSION_STOP] = "session_stop",
	};

	return end < PF_N_ENDS ? names[end] : NULL;
}

const char *event_loss_name(unsigned int loss)
{
	static const char *const names[PF_N_LOSSES] = {
		[PF_LOST_RING_FULL] = "ring_full",
		[PF_LOST_TOO_DEEP] = "too_deep",
		[PF_LOST_NO_THREAD_STATE] = "no_thread_state",
		[PF_LOST_NO_PROCESS] = "no_process",
	};

	return loss < PF_N_LOSSES ? names[loss] : NULL;
}
