/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/counter.h - perf counters on every CPU, for the kernel side to read: cycles, instructions, page-faults, ... */
#ifndef PERFFLOW_PROBE_COUNTER_H
#define PERFFLOW_PROBE_COUNTER_H

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"
#include "util/why.h"

struct counter_kind; /* what is counted */

/* By name as `perf list` has it, "cycles" or "page-faults"; NULL if there is none. */
const struct counter_kind *counter_find(const char *name);
const char *counter_name(const struct counter_kind *kind);
/* The name as it stands in traces: "page_faults". */
const char *counter_field(const struct counter_kind *kind);
/* All names, each followed by a space, into the sentence of an error. */
void counter_list(char *text, size_t size);

/*
 * Opens it on one CPU and returns the descriptor. It counts all the time or not at all: it has a place in the processor to
 * itself, where there is one. -ENODEV: that CPU is offline.
 */
int counter_open(const struct counter_kind *kind, unsigned int cpu);
bool counter_has_place(int fd);

/* Opens it on one CPU that is online to see whether this machine counts it: -ENOENT and such if not, the sentence says why. */
int counter_try(const struct counter_kind *kind, struct why *why);

#endif
