/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/advise.h - from an aspect and a function to what the kernel side is told of it, and what the trace calls it */
#ifndef PERFFLOW_INSPECT_ADVISE_H
#define PERFFLOW_INSPECT_ADVISE_H

#include "binary/annotation.h"
#include "perfflow/event.h"
#include "probe/capture.h"
#include "probe/joinpoint.h"
#include "sink/sink.h"

struct advised {
	bool is_plain; /* a span and nothing else: there is no need for an advice */
	struct pf_advice advice;
	struct sink_label label; /* what it points to is here, or the aspect's, the join point's or the binary's */
	struct sink_value values[PF_MAX_CAPTURES];
	struct captures captures;
	struct annotation annotation; /* of the function, where it decides */
	char *source, *function;      /* as PerfFlowAspect has them, where they are asked for */
};
void advised_done(struct advised *advised);

/* Whether an aspect alone asks for no more than a span, and whether it may ask for arguments and such. */
bool advise_is_plain(const struct aspect *aspect);
bool advise_has_items(const struct aspect *aspect);

/*
 * capturer: of the join point's binary. report: of the aspect, which is NULL of a function that is woven for a cflow() alone. It
 * stays where it is: *ret_advised points into itself.
 */
int advise(const struct binary *binary, struct capturer *capturer, const struct aspect *aspect,
	   const struct joinpoint *joinpoint, struct capture_report *report, struct advised *ret_advised);

#endif
