/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace/event.h - validate and decode one record of a ring */
#ifndef PERFFLOW_TRACE_EVENT_H
#define PERFFLOW_TRACE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"

struct event {
	uint64_t order_ns; /* when it was sent: the end of a span, the time of all else; below 2^63
			    */
	union {		   /* what is too large or too seldom there to be held by value; owned */
		void *owned;			 /* NULL: nothing */
		struct pf_process_seen *process; /* PF_EVENT_PROCESS */
		struct pf_process_text *text;	 /* PF_EVENT_PROCESS_TEXT */
		struct pf_item *items; /* of a span or mark: event_next_item() walks over them */
	};
	union {
		struct pf_event header;
		struct pf_span span;		   /* PF_EVENT_SPAN */
		struct pf_mark mark;		   /* PF_EVENT_MARK */
		struct pf_thread_seen thread;	   /* PF_EVENT_THREAD; the name ends in '\0' */
		struct pf_process_end process_end; /* PF_EVENT_PROCESS_END */
		struct pf_fork fork;		   /* PF_EVENT_FORK */
		struct pf_switch cpu_switch;	   /* PF_EVENT_SWITCH; the name ends in '\0' */
		struct pf_wake wake;		   /* PF_EVENT_WAKE */
	};
};

/*
 * Takes the bytes of one record apart. -EBADMSG for what no kernel side of ours sends: a wrong
 * size, an unknown kind, or an impossible value (more time on the CPU than passed, text without its
 * end, a pid past 2^31, an item that sticks out of its record, one value twice). -ENOMEM too.
 */
int event_decode(const void *data, size_t size, struct event *ret_event);

/* Frees what the event owns, for one that was not handed on to order_push(). */
void event_done(struct event *event);

/*
 * The items of a span or mark one by one: the one behind `item`, the first one for NULL; NULL at
 * the end. They are as their record says, and no two have the same kind and index.
 */
const struct pf_item *event_next_item(const struct event *event, const struct pf_item *item);

/* Its value, item->size bytes of it: void if item->is_missing. */
static inline const void *item_value(const struct pf_item *item)
{
	return item + 1;
}

/* Names as in traces and in status. "unwound", "thread_exit", ...; NULL for a plain return (and for
 * no enum pf_end). */
const char *event_end_name(unsigned int end);
/* "ring_full", "too_deep", ...; NULL for what is no loss. */
const char *event_loss_name(unsigned int loss);
/* The same of all that the kernel side counts; NULL for no enum pf_counter. */
const char *event_counter_name(unsigned int counter);

#endif
