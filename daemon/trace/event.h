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
	union {
		struct pf_event header;		   /* PF_EVENT_MARK is this alone */
		struct pf_span span;		   /* PF_EVENT_SPAN */
		struct pf_thread_seen thread;	   /* PF_EVENT_THREAD; the name ends in '\0' */
		struct pf_process_end process_end; /* PF_EVENT_PROCESS_END */
		struct {
			struct pf_event process_header;
			struct pf_process_seen *process; /* PF_EVENT_PROCESS: too large to be held
							    by value; owned */
		};
	};
};

/*
 * Takes the bytes of one record apart. -EBADMSG for what no kernel side of ours sends: a wrong
 * size, an unknown kind, or an impossible value (more time on the CPU than passed, text without its
 * end, a pid past 2^31). -ENOMEM too.
 */
int event_decode(const void *data, size_t size, struct event *ret_event);

/* Frees what the event owns, for one that was not handed on to order_push(). */
void event_done(struct event *event);

/* Names as in traces and in status. "unwound", "thread_exit", ...; NULL for a plain return (and for
 * no enum pf_end). */
const char *event_end_name(unsigned int end);
/* "ring_full", "too_deep", ...; NULL for what is no loss. */
const char *event_loss_name(unsigned int loss);

#endif
