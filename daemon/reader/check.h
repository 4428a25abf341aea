/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/check.h - is a trace sound, and is it all there?
 *
 * A trace is broken where it contradicts itself or the rules of docs/trace-format.md, and
 * incomplete where it is sound and lacks something: it says so itself, or it was cut off.
 */
#ifndef PERFFLOW_READER_CHECK_H
#define PERFFLOW_READER_CHECK_H

#include "reader/facts.h"
#include "reader/sorter.h"
#include "trace/event.h"
#include "util/text.h"

/* Of an event: it is better left out; or it begins asynchronous work that nothing ends. */
struct check_mark {
	uint64_t number; /* of the event */
	uint64_t is_open;
};

enum check_verdict { CHECK_COMPLETE = 0, CHECK_INCOMPLETE = 1, CHECK_BROKEN = 2 };

struct check_fault {
	uint64_t line; /* from 1 */
	char *text;    /* a sentence about it */
};

#define CHECK_MAX_FAULTS 100 /* that are kept; the others are counted */

struct check_counts {	 /* what is there */
	uint64_t events; /* those that are sound by themselves */
	uint64_t calls;
	uint64_t ends[PF_N_ENDS]; /* calls by how they ended */
	uint64_t marks; /* of functions, with those that begin and end asynchronous work */
	uint64_t works; /* pieces of asynchronous work */
	uint64_t arrows, states, counters;
	uint64_t processes, threads; /* with events beside names and states */
};

struct check {
	enum check_verdict verdict;
	struct facts facts;
	struct check_counts counts;
	bool has_times; /* else these are void */
	int64_t first_ns, last_ns;
	struct check_fault faults[CHECK_MAX_FAULTS]; /* by line */
	size_t n_faults, n_kept;
	struct strings missing; /* sentences: what is not there */
	struct strings notes;	/* sentences: what else there is to know */
	uint64_t last_number;	/* of the last event */
	struct reader_ending ending;
	char damage[160];      /* of the file, a sentence; or empty */
	struct sorter *marked; /* struct check_mark: what a repair has to know, in order */
};

void check_done(struct check *check);

/*
 * Reads all of it, in memory that does not grow with it. 0 whatever the verdict; an error if it
 * cannot be read; -EINVAL if it is no trace.
 */
int check_trace(const char *path, struct check *ret_check, struct why *why);

/* Counts an event in; what only a B and an E together are, a call, is for the caller to count. */
void check_count(struct check_counts *counts, const struct trace_event *event);

/* "81234.567250000 s after the boot (2026-11-22 13:33:01 UTC)". Returns the buffer. */
const char *check_format_time(const struct check *check, int64_t time_ns, char buffer[96]);

#endif
