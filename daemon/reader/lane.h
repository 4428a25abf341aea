/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/lane.h - the threads of a trace, by number */
#ifndef PERFFLOW_READER_LANE_H
#define PERFFLOW_READER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/hash.h"

struct open_call; /* reader/calls.c */

struct lane {
	int64_t pid, tid;
	uint32_t number;  /* from 0 on, in the order in which they came */
	uint32_t process; /* the number of its process, likewise */
	struct lane *next;
	struct open_call *open_calls; /* of struct calls: begun by a "B", the innermost one last */
	size_t n_open_calls;
	/* of struct check_run: */
	int64_t last_ns;	 /* the time of its last B or E */
	bool has_events;	 /* beside names and states */
	bool process_has_events; /* of the first thread of a process: any thread of it has */
};

struct lanes { /* all zero is empty */
	struct hash by_thread;
	struct hash processes; /* pid -> its first lane */
	struct lane **items;
	size_t n_items;
	uint32_t n_processes;
};

void lanes_done(struct lanes *lanes);

/* The thread, made if it is new; NULL: no memory. */
struct lane *lanes_find(struct lanes *lanes, int64_t pid, int64_t tid);

#endif
