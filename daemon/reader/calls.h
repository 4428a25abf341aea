/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/calls.h - calls out of events: one from each X, one from each pair of B and E
 *
 * Holds those that are open, and nothing else.
 */
#ifndef PERFFLOW_READER_CALLS_H
#define PERFFLOW_READER_CALLS_H

#include <stdbool.h>

#include "reader/lane.h"
#include "reader/reader.h"

struct call {
	const struct lane *lane;
	int64_t start_ns, end_ns;
	const char *name, *category;
	struct json_object *json; /* the event that began it */
	struct json_object *args; /* its args, or NULL */
	const char *end; /* how it ended, where the pairing knows: "unwound", "cut_off"; or NULL */
	uint64_t number, line; /* of the event that began it */
	uint64_t end_number;   /* of the event that ended it */
};

struct calls {
	struct lanes *lanes;
	int64_t last_ns;   /* the latest time of any event */
	struct call ready; /* an X that was taken */
	bool has_ready;
	struct lane *closing; /* whose innermost calls end at: */
	int64_t closing_ns;
	uint64_t closing_number;
	size_t n_closing;
	bool is_finishing;
	size_t next_lane;	   /* to be closed while finishing */
	struct json_object *given; /* of the call that was given out */
};

/* The lanes are the caller's, and outlive the calls. */
void calls_init(struct calls *calls, struct lanes *lanes);
void calls_done(struct calls *calls);

/*
 * Takes an event of any kind. -ENOMSG: an E that ends nothing; -ERANGE: an X without a duration, or
 * a B, E or X without a time. Those are left out.
 */
int calls_push(struct calls *calls, const struct trace_event *event);

/* No more events come: the calls that are open end with the last one. */
void calls_finish(struct calls *calls);

/* Returns true and the next call that is known whole; it is valid until the next call of any of
 * these. */
bool calls_pop(struct calls *calls, struct call *ret_call);

#endif
