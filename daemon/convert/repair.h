/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* convert/repair.h - a whole trace out of one that was cut off or damaged */
#ifndef PERFFLOW_CONVERT_REPAIR_H
#define PERFFLOW_CONVERT_REPAIR_H

#include "reader/check.h"

struct repair_result {
	uint64_t n_left_out; /* events that were not sound */
	uint64_t n_ended;    /* calls and asynchronous work that were open */
};

/*
 * Writes what is sound of the trace that was checked to a new file, closed, with a summary that
 * tells what is there and what is not. -EEXIST: there is such a file already. The check's list of
 * what is unsound is used up.
 */
int repair_trace(const char *path, struct check *check, const char *output,
		 struct repair_result *ret_result, struct why *why);

#endif
