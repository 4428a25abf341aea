/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * convert/convert.h - a trace as other tools read it
 *
 * Memory does not grow with the number of events: what has to be put in order goes through a
 * temporary file.
 */
#ifndef PERFFLOW_CONVERT_CONVERT_H
#define PERFFLOW_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "reader/reader.h"
#include "util/why.h"

struct convert_options {
	const char *format; /* a name in the table */
	const char *const *inputs; /* paths, or "-"; NULL behind the last: the pieces of one trace */
	const char *output; /* a path, a folder, "-", or NULL */
	bool wall_clock;
};

enum convert_kind { /* of events that a format may have no place for */
		    CONVERT_MARKS,
		    CONVERT_ASYNC,
		    CONVERT_COUNTERS,
		    CONVERT_ARROWS,
		    CONVERT_STATES, /* of threads */
		    CONVERT_OTHERS,
		    CONVERT_N_KINDS
};

struct convert_result {
	uint64_t n_calls;
	uint64_t n_left_out[CONVERT_N_KINDS];
	uint64_t n_stray;   /* ends without a begin, and calls without times */
	uint64_t n_cut_off; /* calls that never ended: their end is put to that of the trace */
	size_t n_read;	    /* pieces */
	size_t ending_of;   /* which of the inputs that is: */
	struct reader_ending ending;
	char damage[160]; /* of the file, a sentence; or empty */
};

/* -EBADMSG: the trace is not sound; -ENOENT: there is no such format. */
int convert(const struct convert_options *options, struct convert_result *ret_result,
	    struct why *why);

/* The names in the table; NULL behind the last one. */
const char *convert_format_name(size_t i);

const char *convert_kind_name(enum convert_kind kind); /* "marks", ... */

#endif
