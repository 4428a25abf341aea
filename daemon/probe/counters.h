/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/counters.h - the perf counters of one session, each on every CPU, in the map that the kernel side reads */
#ifndef PERFFLOW_PROBE_COUNTERS_H
#define PERFFLOW_PROBE_COUNTERS_H

#include <stddef.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct counter_kind;
struct counters;

/* The map has a place for each CPU of each kind, one kind after the other. */
int counters_open(const struct counter_kind *const *kinds, size_t n_kinds, unsigned int n_cpus, int map_fd,
		  struct counters **ret_counters, struct why *why);
void counters_close(struct counters *counters);
DEFINE_CLEANUP(struct counters, counters_close)

/* Counts on CPUs, too, that came since the last look. */
int counters_renew(struct counters *counters);

/* A sentence for each that did not count all the time. */
int counters_conclude(const struct counters *counters, struct strings *warnings);

#endif
