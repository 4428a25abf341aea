/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/pairs.h - asynchronous work out of events: from a "b" to the "e" of the same category, id
 * and name (and process, where the id is only the process's)
 *
 * Holds what is open, and nothing else.
 */
#ifndef PERFFLOW_READER_PAIRS_H
#define PERFFLOW_READER_PAIRS_H

#include "reader/calls.h"

struct pairs {		    /* all zero is empty */
	struct hash by_key; /* -> struct pair, the one that was begun last */
	size_t n_open;
	struct json_object *given;
	size_t n_stray; /* ends without a begin */
};

void pairs_done(struct pairs *pairs);

/* Takes an event of any kind: 1 and the work that it ends, valid until the next call; or 0. */
int pairs_take(struct pairs *pairs, struct lanes *lanes, const struct trace_event *event,
	       struct call *ret_call);

#endif
