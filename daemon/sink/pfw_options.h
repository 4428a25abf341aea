/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/pfw_options.h - PERFFLOW_OPTIONS, by which users of PerfFlowAspect say what they want:
 * "key=value" with ':' between them
 */
#ifndef PERFFLOW_SINK_PFW_OPTIONS_H
#define PERFFLOW_SINK_PFW_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/text.h"

/* What the name of a file is made of. */
enum pfw_part {
	PFW_PART_NAME,
	PFW_PART_INSTANCE_PATH,
	PFW_PART_HOSTNAME,
	PFW_PART_PID,
	PFW_N_PARTS
};

#define PFW_MAX_PARTS 16

struct pfw_options {
	char *name, *log_dir; /* owned */
	enum pfw_part parts[PFW_MAX_PARTS];
	size_t n_parts;
	bool is_enabled;    /* log-enable */
	bool with_counters; /* cpu-mem-usage */
	bool is_compact;    /* log-event */
	bool is_object;	    /* log-format */
};

/*
 * NULL is a variable that is not set. What is ill-formed counts as if it were not there, and a
 * sentence is added to faults, the one that PerfFlowAspect has for it; that ends in -ENOMEM alone.
 */
int pfw_options_parse(const char *text, struct pfw_options *ret_options, struct strings *faults);
void pfw_options_done(struct pfw_options *options);

#endif
