/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/candidates.h - what a pointcut may have meant: the functions and static probes of several binaries whose names come nearest */
#ifndef PERFFLOW_PROBE_CANDIDATES_H
#define PERFFLOW_PROBE_CANDIDATES_H

#include "binary/binary.h"
#include "binary/symbol.h"
#include "probe/pointcut.h"

struct candidates;
int candidates_new(const struct pointcut *pointcut, struct candidates **ret_candidates);
void candidates_free(struct candidates *candidates);
DEFINE_CLEANUP(struct candidates, candidates_free)
int candidates_consider(struct candidates *candidates, const struct binary *binary,
			const struct symbols *symbols);
/* The best (at most 5), as "module:name" or "usdt(provider:name)", nearest first; none that is not near. */
int candidates_list(struct candidates *candidates, struct strings *list);

#endif
