/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/allowance.h - how long somebody's files may be read: so long at once, and as long again in a minute */
#ifndef PERFFLOW_INSPECT_ALLOWANCE_H
#define PERFFLOW_INSPECT_ALLOWANCE_H

#include <stdint.h>

#define ALLOWANCE_PERIOD_S 60

struct allowance {
	uint64_t max_ns;
	uint64_t taken_ns, taken_at_ns; /* so much of it, at that time of the monotonic clock */
};

/* Both at the time now_ns of the monotonic clock. */
static inline uint64_t allowance_left(const struct allowance *allowance, uint64_t now_ns)
{
	uint64_t given_back_ns = (now_ns - allowance->taken_at_ns) / ALLOWANCE_PERIOD_S * (allowance->max_ns / 1000000000);
	uint64_t taken_ns = allowance->taken_ns > given_back_ns ? allowance->taken_ns - given_back_ns : 0;

	return taken_ns < allowance->max_ns ? allowance->max_ns - taken_ns : 0;
}

static inline void allowance_take(struct allowance *allowance, uint64_t began_ns, uint64_t now_ns)
{
	allowance->taken_ns = allowance->max_ns - allowance_left(allowance, now_ns) + (now_ns - began_ns);
	allowance->taken_at_ns = now_ns;
}

#endif
