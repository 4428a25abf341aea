/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/quota.h - what all sessions of a user may take together, and have taken */
#ifndef PERFFLOW_SESSION_QUOTA_H
#define PERFFLOW_SESSION_QUOTA_H

#include <errno.h>
#include <stdint.h>

struct quota {
	uint64_t max, taken;
};

/* -EDQUOT: so much is not left. */
static inline int quota_take(struct quota *quota, uint64_t n)
{
	if (n > quota->max || quota->taken > quota->max - n)
		return -EDQUOT;
	quota->taken += n;
	return 0;
}

static inline void quota_give_back(struct quota *quota, uint64_t n)
{
	quota->taken -= n;
}

#endif
