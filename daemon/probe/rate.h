/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/rate.h - up to when the share of records is taken that the sessions of a user have together
 *
 * Kept in the kernel: see is_over_rate() in bpf/emit.bpf.h. May be used from any thread.
 */
#ifndef PERFFLOW_PROBE_RATE_H
#define PERFFLOW_PROBE_RATE_H

#include <sys/types.h>

#include "util/cleanup.h"

struct rate; /* of one user */

int rate_join(uid_t uid, struct rate **ret_rate);
void rate_leave(struct rate *rate); /* accepts NULL */
DEFINE_CLEANUP(struct rate, rate_leave)

/* The map with the one number, owned by rate. */
int rate_fd(const struct rate *rate);

#endif
