/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "inspect/plan.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/condition.h"

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_aspects; i++)
		aspect_free(plan->aspects[i]);
	free(plan->aspects);
	python_plan_done(&plan->python);
	pointcut_free(plan->scope);
	*plan = (struct plan){ 0 };
}

int plan_add_aspect(struct plan *plan, const char *text, size_t *ret_column, struct why *why)
{
	struct aspect *aspect;
	int r;

	r = array_grow(&plan->aspects, plan->n_aspects, sizeof(struct aspect *));
	if (r >= 0)
		r = aspect_parse(text, &aspect, ret_column, why);
	if (r < 0)
		return r;
	plan->aspects[plan->n_aspects++] = aspect;
	if (!aspect->says_returns)
		aspect->returns = plan->returns;
	r = python_check(aspect, why);
	return r < 0 ? r : pointcut_atoms_add(&plan->atoms, aspect->pointcut, why);
}

int plan_set_scope(struct plan *plan, const char *text, size_t *ret_column, struct why *why)
{
	const struct pointcut_subject nothing = { 0 };
	int r;

	r = pointcut_parse(text, &plan->scope, ret_column, why);
	if (r < 0)
		return r;
	if (!pointcut_is_about_process(plan->scope))
		return why_say(why, -EINVAL,
			       "a scope has terms about processes only: exe, comm, uid, cgroup, job, rank");
	r = pointcut_atoms_add(&plan->atoms, plan->scope, why);
	if (r < 0)
		return r;
	return pointcut_condition(plan->scope, &plan->atoms, &nothing, 0, &plan->scope_condition, NULL, why);
}

int plan_python(struct plan *plan, struct why *why)
{
	return python_plan_make((const struct aspect *const *)plan->aspects, plan->n_aspects, &plan->atoms, &plan->python,
				why);
}

int plan_ask_interpreters(struct plan *plan, struct why *why)
{
	if (!plan->python.n_slots)
		return 0;
	return python_plan_by_interpreter(&plan->python, (const struct aspect *const *)plan->aspects, plan->n_aspects, why);
}
