/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/metrics.h - what spans carry beside their times
 *
 *     metrics = word { "," word }
 *     word    = "cpu" | "mem" | "faults" | "ctxsw" | "io" | "hw" | "gpu" | the name of a perf counter
 *
 * cpu is in every span. hw is cycles, instructions, cache-misses and branch-misses.
 */
#ifndef PERFFLOW_PROBE_METRICS_H
#define PERFFLOW_PROBE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "util/text.h"
#include "util/why.h"

struct counter_kind;

struct metrics {
	uint32_t mask; /* a bit for each enum pf_metric */
	const struct counter_kind *hw[PF_MAX_HW];
	size_t n_hw;
	bool with_gpu;
};

/* -EINVAL: the sentence names the word that is none. */
int metrics_parse(const char *text, struct metrics *ret_metrics, struct why *why);

/* Takes out the counters that this machine has not, and adds a sentence for each. */
int metrics_keep_present(struct metrics *metrics, struct strings *warnings);

#endif
