/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/check_internal.h - what the files of the check share */
#ifndef PERFFLOW_READER_CHECK_INTERNAL_H
#define PERFFLOW_READER_CHECK_INTERNAL_H

#include "reader/calls.h"
#include "reader/check.h"
#include "reader/nest.h"

#define CHECK_SORT_BYTES (64 * 1024 * 1024)

/* What has two ends: asynchronous work, and arrows. */
struct check_twins {
	struct sorter *sorter; /* of struct check_end */
	bool is_once;	       /* an id is used for no second one */
	uint64_t n_unpaired, unpaired_line;
};

struct check_run {
	struct check *check;
	struct reader *reader;
	struct lanes lanes;
	struct calls calls;
	struct nest *nest; /* the calls */
	struct check_twins works, arrows;
	uint64_t summary_line; /* of the first summary, or 0 */
};

/* One end of what has two. */
struct check_end {
	uint64_t key; /* the same at both */
	int64_t time_ns;
	uint64_t number, line;
	uint32_t is_end;   /* else a begin */
	uint32_t is_loose; /* may be in between, and be missing */
};

/* Notes what is wrong at a line. */
int check_fault(struct check_run *run, uint64_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same of an event, which is better left out. */
int check_fault_of(struct check_run *run, uint64_t number, uint64_t line, struct why *why,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Marks an event for a repair. */
int check_mark(struct check_run *run, uint64_t number, bool is_open, struct why *why);

/* check_event.c: what one event alone shows: 1 if it is sound, 0 if not. */
int check_event(struct check_run *run, const struct trace_event *event, struct why *why);

/* check_order.c: what only all events together show: nesting, both ends of what has two. */
int check_order(struct check_run *run, struct why *why);

/* check_ledger.c: what is missing, and whether the summary is true. */
int check_ledger(struct check_run *run);

#endif
