/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/aspect.h - a pointcut with its advice: what is recorded where
 *
 *     aspect  = [ advice ] "(" pointcut ")" { option } | pointcut
 *     advice  = "around"
 *     option  = "returns=" ( "auto" | "sites" | "probes" | "never" )
 *
 *     around(LAMMPS_NS::Pair*::compute) returns=sites
 */
#ifndef PERFFLOW_PROBE_ASPECT_H
#define PERFFLOW_PROBE_ASPECT_H

#include "probe/pointcut.h"
#include "probe/site.h"

enum aspect_advice { ASPECT_AROUND };

struct aspect {
	enum aspect_advice advice;
	struct pointcut *pointcut;
	enum site_mode returns; /* SITE_MODE_AUTO where it is not said */
	bool says_returns;
};

/*
 * -EINVAL: why has the sentence and *ret_column (from 0) where in the text it went wrong;
 * ret_column may be NULL.
 */
int aspect_parse(const char *text, struct aspect **ret_aspect, size_t *ret_column, struct why *why);
void aspect_free(struct aspect *aspect);
DEFINE_CLEANUP(struct aspect, aspect_free)

#endif
