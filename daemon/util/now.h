/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/now.h - a clock of the system in nanoseconds */
#ifndef PERFFLOW_UTIL_NOW_H
#define PERFFLOW_UTIL_NOW_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

#endif
