/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/facts.h - what a trace says of itself, its processes and threads: its metadata */
#ifndef PERFFLOW_READER_FACTS_H
#define PERFFLOW_READER_FACTS_H

#include <stdbool.h>

#include "reader/lane.h"
#include "reader/ledger.h"
#include "reader/reader.h"

struct facts {			     /* all zero: nothing is known */
	bool is_ours;		     /* it has our first record, or our last one */
	struct json_object *trace;   /* the args of that, or NULL */
	struct ledger ledger;	     /* what it lacks, as it was written meanwhile */
	struct json_object *summary; /* the args of "perfflow_summary", or NULL */
	bool has_clock;
	int64_t unix_offset_ns;	   /* what a time of the trace lacks to one since 1970 */
	struct hash process_names; /* pid -> text, owned */
	struct hash thread_names;  /* number of the lane -> text, owned */
};

void facts_done(struct facts *facts);

/* Takes an event of any kind. */
int facts_take(struct facts *facts, struct lanes *lanes, const struct trace_event *event);

const char *facts_host(const struct facts *facts); /* "" if it is not known */
const char *facts_process_name(const struct facts *facts, int64_t pid);
size_t facts_n_processes(const struct facts *facts); /* that have a name; 0 is the machine and counts for none */
const char *facts_thread_name(const struct facts *facts, const struct lane *lane);

/* Of a trace in several pieces: which one it is, from 1; 0: it is whole. */
uint64_t facts_piece(const struct facts *facts);

/* Whether both are of one run of perfflow. */
bool facts_belong_together(const struct facts *facts, const struct facts *others);

/* A time of the trace in nanoseconds since 1970; false: that is not known. */
bool facts_unix_ns(const struct facts *facts, int64_t time_ns, int64_t *ret_ns);

#endif
