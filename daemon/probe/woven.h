/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/woven.h - the two functions of PerfFlowAspect's runtime, which programs call that its own compiler pass has woven:
 *
 *	void perfflow_weave_before(int async, const char *module, const char *function, const char *scope,
 *				   const char *flow, const char *pointcut)
 *
 * and perfflow_weave_after with the same arguments. Programs that were woven before 2025 do not pass the last one.
 */
#ifndef PERFFLOW_PROBE_WOVEN_H
#define PERFFLOW_PROBE_WOVEN_H

#include "perfflow/event.h"
#include "probe/aspect.h"

enum woven { WOVEN_NOT, WOVEN_BEFORE, WOVEN_AFTER };

/* Which of them a function is, by its linker name. */
enum woven woven_find(const char *linker_name);

/* What is captured of a call, by the index of the item. */
enum woven_value { WOVEN_ASYNC, WOVEN_MODULE, WOVEN_FUNCTION, WOVEN_SCOPE, WOVEN_FLOW, WOVEN_POINTCUT, WOVEN_N_VALUES };

/* What the kernel side is told of it, on a machine. The options of the aspect are those that hold for both of the functions. */
void woven_advise(enum woven woven, uint16_t machine, const struct aspect *aspect, struct pf_advice *advice);

#endif
