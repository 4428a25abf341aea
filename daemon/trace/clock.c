/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * CLOCK_BOOTTIME runs on through suspend and is never set, so one snapshot serves a whole trace:
 * the two clocks drift apart only as far as the wall clock is slewed. All sums wrap, as those of
 * unsigned numbers do, so a moment before the snapshot needs no case of its own.
 */
#include "trace/clock.h"

void clock_snapshot_better(struct clock_snapshot *best, const struct clock_snapshot *other)
{
	if (best->boot_ns == 0 || other->width_ns < best->width_ns)
		*best = *other;
}

uint64_t clock_real_ns(const struct clock_snapshot *snapshot, uint64_t boot_ns)
{
	return snapshot->real_ns + (boot_ns - snapshot->boot_ns);
}
