/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * inspect/plan.h - what a session records, and of which processes: its aspects and its scope, parsed
 *
 * The daemon and its inspectors make it of the same texts, and so come to the same numbers of aspects and atoms.
 */
#ifndef PERFFLOW_INSPECT_PLAN_H
#define PERFFLOW_INSPECT_PLAN_H

#include "perfflow/event.h"
#include "probe/aspect.h"
#include "probe/pointcut_atoms.h"
#include "probe/python.h"
#include "probe/site.h"

struct plan { /* all zero is empty */
	struct aspect **aspects;
	size_t n_aspects;
	enum site_mode returns; /* of aspects that do not say it themselves */
	struct pointcut_atoms atoms;
	struct python_plan python; /* of their py() */
	struct pointcut *scope;	   /* which processes are in the session, or NULL: what else decides does */
	struct pf_condition scope_condition;
};
void plan_done(struct plan *plan);

/* -EINVAL, -E2BIG: it is not right, with a sentence, and *ret_column (from 0) where that is. */
int plan_add_aspect(struct plan *plan, const char *text, size_t *ret_column, struct why *why);
int plan_set_scope(struct plan *plan, const char *text, size_t *ret_column, struct why *why);

/* After the aspects. -E2BIG with a sentence: too many different py(). */
int plan_python(struct plan *plan, struct why *why);

/* The interpreter tells of all that it calls. -EINVAL with a sentence: it cannot tell what is asked for. */
int plan_ask_interpreters(struct plan *plan, struct why *why);

#endif
