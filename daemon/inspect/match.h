/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/match.h - what a plan selects in a binary, ready to be told; for the inspector */
#ifndef PERFFLOW_INSPECT_MATCH_H
#define PERFFLOW_INSPECT_MATCH_H

#include "inspect/found.h"

struct match {
	const struct plan *plan;
	bool with_units; /* labels have what PerfFlowAspect's files need */
	/* Takes join points, as found_take_joinpoints() wants them. */
	int (*send_fn)(void *userdata, const char *data, size_t size);
	void *userdata;
};

/* The sums go to *found. */
int match_binary(const struct match *match, struct binary *binary, struct found *found, struct why *why);

#define MATCH_MAX_LANDINGS 4

/* Offsets of what an unwinder calls where it has arrived: to catch, or to clean up and go on. Returns how many. */
size_t match_landings(const struct symbols *symbols, uint64_t ret_offsets[MATCH_MAX_LANDINGS]);

#endif
