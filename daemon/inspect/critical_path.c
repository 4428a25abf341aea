/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "inspect/critical_path.h"

#include <errno.h>

#include "util/why.h"

static const struct {
	enum pf_advice_kind kind;
	enum sink_kind sink_kind;
} kinds[ANNOTATION_N_POINTCUTS] = {
	[ANNOTATION_AROUND] = {PF_ADVICE_AROUND, SINK_SPAN},
	[ANNOTATION_BEFORE] = {PF_ADVICE_BEFORE, SINK_MARK},
	[ANNOTATION_AFTER] = {PF_ADVICE_AFTER, SINK_MARK},
	[ANNOTATION_AROUND_ASYNC] = {PF_ADVICE_AROUND_MARKS, SINK_ASYNC_SPAN},
	[ANNOTATION_BEFORE_ASYNC] = {PF_ADVICE_BEFORE, SINK_ASYNC_BEGIN},
	[ANNOTATION_AFTER_ASYNC] = {PF_ADVICE_AFTER, SINK_ASYNC_END},
};

static const enum sink_flow flows[ANNOTATION_N_FLOWS] = {
	[ANNOTATION_FLOW_NONE] = SINK_FLOW_NONE,   [ANNOTATION_FLOW_IN] = SINK_FLOW_IN,
	[ANNOTATION_FLOW_OUT] = SINK_FLOW_OUT,	   [ANNOTATION_FLOW_INOUT] = SINK_FLOW_INOUT,
	[ANNOTATION_FLOW_OUTIN] = SINK_FLOW_OUTIN,
};

enum sink_kind critical_path_sink_kind(enum annotation_pointcut pointcut)
{
	return kinds[pointcut].sink_kind;
}

enum sink_flow critical_path_flow(enum annotation_flow flow)
{
	return flows[flow];
}

int critical_path_advise(const struct joinpoint *joinpoint, struct advised *advised)
{
	struct annotation *annotation = &advised->annotation;
	struct why ignored = {0};
	int r;

	r = annotation_parse(joinpoint->annotation, annotation, &ignored);
	if (r < 0)
		return r;
	advised->advice.kind = kinds[annotation->pointcut].kind;
	advised->label.kind = kinds[annotation->pointcut].sink_kind;
	advised->label.scope = annotation->scope;
	advised->label.flow = flows[annotation->flow];
	return 0;
}

int critical_path_name(struct units *units, const struct joinpoint *joinpoint,
		       struct advised *advised)
{
	int r;

	if (joinpoint->kind != JOINPOINT_FUNCTION)
		return 0;
	r = units_describe(units, joinpoint->address, &advised->source, &advised->function);
	advised->label.module = advised->source;
	advised->label.function = advised->function;
	return r == -ENOENT ? 0 : r;
}
