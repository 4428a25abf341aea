/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/attach_probes.h - the probes of a session, and what they record */
#ifndef PERFFLOW_PROBE_ATTACH_PROBES_H
#define PERFFLOW_PROBE_ATTACH_PROBES_H

#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "perfflow/event.h"
#include "probe/joinpoint.h"
#include "util/why.h"

struct attach;

/* Gives the kernel side an advice; equal ones get one number. -E2BIG: there are too many. */
int attach_add_advice(struct attach *attach, const struct pf_advice *advice, uint16_t *ret_number);

/*
 * Probes the functions of a binary; they are numbered from first_number on. advices has the number of each one's advice, 0 for
 * a plain span, and may be NULL. On failure none of them is probed.
 */
int attach_joinpoints(struct attach *attach, const struct binary *binary, const struct joinpoint *joinpoints, size_t n,
		      uint32_t first_number, const uint16_t *advices, struct why *why);

/*
 * Probes the entries (offsets in the file) of what an unwinder calls when it has arrived: the spans of what it passed on the
 * way end there.
 */
int attach_landings(struct attach *attach, const struct binary *binary, const uint64_t *offsets, size_t n,
		    struct why *why);

/*
 * After the function's own probe was attached, which then can read what its second to sixth argument point to. Kernels before
 * 6.6 go without.
 */
int attach_touch(struct attach *attach, const struct binary *binary, uint64_t offset, struct why *why);

/*
 * With has_budget: what is left of a function; and its links, where single functions can be taken out of them, else NULL. The links
 * are those of attach_joinpoints().
 */
int attach_limit(struct attach *attach, uint32_t joinpoint, const struct pf_limit *limit);
struct relinks *attach_relinks(const struct attach *attach);

#endif
