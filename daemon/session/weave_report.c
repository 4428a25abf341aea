/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * An aspect that selects nothing is a mistake as long as nothing runs, and one that names what is near; later it is a warning, as
 * what would have matched may only not have run.
 */
#include "session/weave_report.h"

#include <errno.h>
#include <string.h>

#include "session/warnings.h"

/* The first cflow() that names no function, as an atom of the plan; or -1. */
static ssize_t find_unfollowed(const struct weave *weave)
{
	for (size_t i = 0; i < weave->plan.atoms.n_items; i++)
		if (pointcut_atoms_cflow(&weave->plan.atoms, i) && !weave->followed[i])
			return i;
	return -1;
}

static int no_python(const struct weave *weave, const char *text, struct session_failure *failure)
{
	if (weave->plan.python.by_interpreter)
		return why_say(&failure->why, -ENOENT,
			       "'%s': no interpreter here tells of what it calls; of Python programs that run already those with "
			       "static probes do (not 3.12 to 3.14), and 3.11 of returns alone: after(py(...)). 'perfflow run' sees all",
			       text);
	return why_say(&failure->why, -ENOENT,
		       "'%s': there is no Python interpreter among the programs of the command; --allow-empty waits for one", text);
}

static int no_match(const struct weave *weave, const struct pointcut *pointcut, const char *text,
		    struct session_failure *failure)
{
	size_t n = weave->paths.n_items;
	int r;

	failure->fault = SESSION_FAULT_MATCH;
	failure->aspect = strdup(text);
	if (pointcut_wants_python(pointcut))
		return no_python(weave, text, failure);
	r = inspector_candidates(weave->inspector, pointcut, &weave->paths, &failure->candidates);
	return r < 0 ? r : why_say(&failure->why, -ENOENT, "'%s' matches no function in %zu %s", text, n,
				   n == 1 ? "binary" : "binaries");
}

static int check_cflows(const struct weave *weave, struct session_failure *failure)
{
	_cleanup_(text_done) struct text text = { 0 };
	ssize_t atom = find_unfollowed(weave);
	const struct pointcut *pointcut;
	int r;

	if (atom < 0)
		return 0;
	pointcut = pointcut_atoms_cflow(&weave->plan.atoms, atom);
	r = pointcut_print(pointcut, &text);
	return r < 0 ? r : no_match(weave, pointcut, text.data, failure);
}

static int check_matches(const struct weave *weave, const struct strings *aspects, struct session_failure *failure)
{
	for (size_t i = 0; i < weave->plan.n_aspects; i++) {
		if (weave->matched[i])
			continue;
		if (!weave->paths.n_items && weave->refusal.text[0])
			return session_fail(failure, SESSION_FAULT_SCOPE, why_say(&failure->why, -ENOEXEC, "%s", weave->refusal.text));
		if (inspector_failure(weave->inspector)) /* what was asked for may have been in there */
			return session_fail(failure, SESSION_FAULT_SCOPE,
					    why_say(&failure->why, -ENOEXEC, "%s", inspector_failure(weave->inspector)));
		return no_match(weave, weave->plan.aspects[i]->pointcut, aspects->items[i], failure);
	}
	return check_cflows(weave, failure);
}

/* Something that was asked for and can be captured nowhere is a mistake; what is missing here and there is said at the end. */
static int check_captures(const struct weave *weave, const struct strings *aspects, struct session_failure *failure)
{
	_cleanup_(strings_done) struct strings ignored = { 0 };
	int r = 0;

	for (size_t i = 0; i < weave->plan.n_aspects && r >= 0; i++) {
		r = capture_report_judge(&weave->reports[i], &ignored, &failure->why);
		if (r == -ENOENT) {
			failure->fault = SESSION_FAULT_MATCH;
			failure->aspect = strdup(aspects->items[i]);
		}
	}
	return r;
}

int weave_check(const struct weave *weave, const struct strings *aspects, struct session_failure *failure)
{
	int r = check_matches(weave, aspects, failure);

	return r < 0 ? r : check_captures(weave, aspects, failure);
}

void weave_report(const struct weave *weave, const struct strings *aspects, struct strings *warnings)
{
	for (size_t i = 0; i < weave->plan.n_aspects; i++)
		if (!weave->matched[i])
			warnings_add(warnings, "'%s' matched no function of any program that ran; 'perfflow match' lists what a program has", aspects->items[i]);
	if (find_unfollowed(weave) >= 0)
		warnings_add(warnings, "a cflow() named no function of any program that ran");
	if (weave->n_rejected)
		warnings_add(warnings, "%zu functions are selected and cannot be probed, as %s", weave->n_rejected,
			     weave->rejection.text);
	for (size_t i = 0; i < weave->plan.n_aspects; i++) {
		struct why why = { 0 };

		if (capture_report_judge(&weave->reports[i], warnings, &why) < 0)
			warnings_add(warnings, "%s", why.text);
	}
	for (size_t i = 0; i < weave->unreadable.n_items; i++)
		warnings_add(warnings, "'%s' is not yours to read: it was not woven", weave->unreadable.items[i]);
}

static bool has_python_event(const struct weave *weave, size_t aspect, bool *ret_is_told)
{
	bool has_event = false;

	*ret_is_told = false;
	for (size_t i = 0; i < weave->n_python_labels; i++) {
		if (weave->python_labels[i].aspect != aspect)
			continue;
		*ret_is_told = true;
		has_event |= labels_have_event(weave->labels, weave->python_labels[i].label);
	}
	return has_event;
}

int weave_warn_python(const struct weave *weave, struct strings *warnings)
{
	int r = 0;

	for (size_t i = 0; i < weave->plan.n_aspects && r >= 0; i++) {
		_cleanup_(text_done) struct text text = { 0 };
		bool is_told;

		if (has_python_event(weave, i, &is_told) || !is_told)
			continue;
		r = text_printf(&text, "by '");
		r = r ?: pointcut_print(weave->plan.aspects[i]->pointcut, &text);
		r = r ?: text_printf(&text, "' no call of a Python function was recorded: none is called so%s",
				     weave->plan.python.by_interpreter ? "" : ", or its interpreter was started with -E, -I or -S");
		r = r ?: strings_add(warnings, text.data);
	}
	return r;
}
