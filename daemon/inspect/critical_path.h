/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/critical_path.h - what an annotation in the source, @critical_path(...), means for what
 * is recorded of its function */
#ifndef PERFFLOW_INSPECT_CRITICAL_PATH_H
#define PERFFLOW_INSPECT_CRITICAL_PATH_H

#include "binary/unit.h"
#include "probe/aspect.h"
#include "probe/joinpoint.h"
#include "inspect/advise.h"

/* What the annotation of the join point says, in place of `around` (see
 * aspect_follows_annotations()); the options of the aspect are left. */
int critical_path_advise(const struct joinpoint *joinpoint, struct advised *advised);

/* The same word by word. */
enum sink_kind critical_path_sink_kind(enum annotation_pointcut pointcut);
enum sink_flow critical_path_flow(enum annotation_flow flow);

/* What PerfFlowAspect calls the function and the source in its files. */
int critical_path_name(struct units *units, const struct joinpoint *joinpoint,
		       struct advised *advised);

#endif
