/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * inspect/region.h - what the static probes mean by which a program announces regions, marks and asynchronous work
 * (perfflow/aspect.h), and those by which calls of Python functions are told of (perfflow/python.h)
 */
#ifndef PERFFLOW_INSPECT_REGION_H
#define PERFFLOW_INSPECT_REGION_H

#include <stdbool.h>

#include "perfflow/event.h"
#include "probe/aspect.h"
#include "probe/joinpoint.h"
#include "sink/sink.h"

struct region_kind {
	enum pf_advice_kind kind;
	enum sink_kind sink_kind;
	const char *captures; /* an aspect whose options read the probe's arguments; NULL: nothing is read */
	bool has_names;	      /* the first two of what is read are the name and the category */
	bool has_scope;	      /* and the third the scope */
	bool is_paired;	      /* of a beginning: its end is never forgotten */
};

/* What the aspect makes of it. Returns false if it is none of these probes. */
bool region_find(const struct joinpoint *joinpoint, const struct aspect *aspect, struct region_kind *ret_kind);

/* The aspect in its place, with the options of the one that selected it. */
int region_aspect(const struct region_kind *kind, const struct aspect *aspect, struct aspect **ret_aspect);

#endif
