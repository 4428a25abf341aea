/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace/clock.h - boot ns -> wall-clock ns, by snapshots of both clocks that others have taken */
#ifndef PERFFLOW_TRACE_CLOCK_H
#define PERFFLOW_TRACE_CLOCK_H

#include <stdint.h>

struct clock_snapshot {	   /* all zero: none was taken yet */
	uint64_t boot_ns;  /* CLOCK_BOOTTIME */
	uint64_t real_ns;  /* CLOCK_REALTIME at the same moment */
	uint64_t width_ns; /* within which both were read: the error is at most half of it */
};

/* Keeps the better one of two: the narrower. */
void clock_snapshot_better(struct clock_snapshot *best, const struct clock_snapshot *other);

/* What CLOCK_REALTIME showed at boot_ns, by this snapshot. */
uint64_t clock_real_ns(const struct clock_snapshot *snapshot, uint64_t boot_ns);

#endif
