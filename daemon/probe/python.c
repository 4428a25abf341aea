/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/python.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pointcut_node.h"
#include "probe/selection.h"

static const char *const probe_names[PF_PYTHON_N_PROBES] = {
	[PF_PYTHON_ENTER] = "enter",
	[PF_PYTHON_LEAVE] = "leave",
	[PF_PYTHON_START] = "start",
	[PF_PYTHON_FINISH] = "finish",
	[PF_PYTHON_RETURN] = "return",
	[PF_PYTHON_TASK_START] = "task_start",
	[PF_PYTHON_TASK_FINISH] = "task_finish",
};

void python_plan_done(struct python_plan *plan)
{
	free(plan->patterns);
	*plan = (struct python_plan){0};
}

/* Groups */

static int add_pattern(struct python_plan *plan, const struct node *node, unsigned int group)
{
	int r;

	r = array_grow(&plan->patterns, plan->n_patterns, sizeof(*plan->patterns));
	if (r == 0)
		plan->patterns[plan->n_patterns++] =
			(struct python_pattern){.node = node, .group = group};
	return r;
}

static int add_patterns(struct python_plan *plan, const struct node *node)
{
	bool is_list = node->kind == NODE_ANY_OF, has_own = false;
	unsigned int group = plan->n_groups;
	int r = 0;

	if (node->kind == NODE_PY) {
		plan->n_groups++;
		return add_pattern(plan, node, group);
	}
	for (size_t i = 0; r == 0 && is_list && i < node->n_children; i++) {
		if (node->children[i].kind != NODE_PY)
			continue;
		r = add_pattern(plan, &node->children[i], group);
		has_own = true;
	}
	plan->n_groups += has_own;
	for (size_t i = 0; r == 0 && i < node->n_children; i++) {
		if (!is_list || node->children[i].kind != NODE_PY)
			r = add_patterns(plan, &node->children[i]);
	}
	return r;
}

/* Whether it has patterns and nothing else, of which any may hold. */
static bool is_pure(const struct aspect *aspect)
{
	const struct node *root = &aspect->pointcut->root;

	for (size_t i = 0; i < root->n_children; i++) {
		if (root->children[i].kind != NODE_PY)
			return false;
	}
	return root->kind == NODE_PY || root->kind == NODE_ANY_OF;
}

static int group_patterns(const struct aspect *const *aspects, size_t n_aspects,
			  struct python_plan *plan)
{
	const struct aspect *before = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_aspects; i++) {
		if (!pointcut_wants_python(aspects[i]->pointcut))
			continue;
		if (before && is_pure(before) && is_pure(aspects[i]) &&
		    aspect_records_the_same(before, aspects[i]))
			plan->n_groups--; /* the last one goes on */
		r = add_patterns(plan, &aspects[i]->pointcut->root);
		before = aspects[i];
	}
	return r;
}

bool python_holds(const struct python_plan *plan, const struct node *node, unsigned int held)
{
	for (size_t i = 0; i < plan->n_patterns; i++) {
		if (plan->patterns[i].node == node)
			return held >> plan->patterns[i].group & 1;
	}
	return false;
}

/* Slots */

/* What is recorded of a function for which these groups hold. */
static int select_function(const struct aspect *const *aspects, size_t n_aspects,
			   const struct pointcut_atoms *atoms, const struct python_plan *plan,
			   unsigned int held, struct selection *ret_selection, struct why *why)
{
	const struct pointcut_subject subject = {
		.module_path = PF_PYTHON_LIBRARY,
		.provider = PF_PYTHON_PROVIDER,
		.probe = "",
		.python = plan,
		.python_held = held,
	};
	struct pf_condition condition;
	int r = 0;

	*ret_selection = (struct selection){.aspect = SELECTION_OF_NONE,
					    .overruled = SELECTION_OF_NONE};
	for (size_t i = 0; r >= 0 && i < n_aspects; i++) {
		if (!pointcut_wants_python(aspects[i]->pointcut))
			continue;
		r = pointcut_condition(aspects[i]->pointcut, atoms, &subject, 0, &condition, NULL,
				       why);
		if (r > 0)
			r = selection_add(ret_selection, aspects, i, &condition, NULL, why);
	}
	return r < 0 ? r : ret_selection->aspect != SELECTION_OF_NONE;
}

static bool is_same(const struct selection *a, const struct selection *b)
{
	return a->aspect == b->aspect &&
	       a->condition.n_alternatives == b->condition.n_alternatives &&
	       memcmp(a->condition.alternatives, b->condition.alternatives,
		      a->condition.n_alternatives * sizeof(a->condition.alternatives[0])) == 0;
}

static int find_slot(struct python_plan *plan, struct selection *selections,
		     const struct selection *selection, unsigned int held, struct why *why)
{
	unsigned int slot = 0;

	while (slot < plan->n_slots && !is_same(&selections[slot], selection))
		slot++;
	if (slot == PF_PYTHON_MAX_SLOTS)
		return why_say(why, -E2BIG,
			       "Python functions may be recorded in %d different ways and "
			       "conditions, these py() come to more",
			       PF_PYTHON_MAX_SLOTS);
	if (slot == plan->n_slots) {
		selections[slot] = *selection;
		plan->held[slot] = held;
		plan->n_slots++;
	}
	plan->slots[held] = (signed char)slot;
	return 0;
}

static int make_slots(const struct aspect *const *aspects, size_t n_aspects,
		      const struct pointcut_atoms *atoms, struct python_plan *plan, struct why *why)
{
	struct selection selections[PF_PYTHON_MAX_SLOTS], selection;
	int r = 0;

	plan->slots[0] = -1;
	for (unsigned int held = 1; r >= 0 && held < 1U << plan->n_groups; held++) {
		plan->slots[held] = -1;
		r = select_function(aspects, n_aspects, atoms, plan, held, &selection, why);
		if (r > 0)
			r = find_slot(plan, selections, &selection, held, why);
	}
	return r;
}

int python_check(const struct aspect *aspect, struct why *why)
{
	if (!pointcut_wants_python(aspect->pointcut))
		return 0;
	if (aspect->all_args || aspect->n_args || aspect->has_ret || aspect->id != ASPECT_ID_TID ||
	    aspect->is_instant)
		return why_say(why, -EINVAL,
			       "'args=', 'ret=' and 'id=' read what machine code is called with, "
			       "which a Python function of py() is not");
	if (aspect->sample > 1 && aspect_is_async(aspect))
		return why_say(why, -EINVAL,
			       "of the Python functions of py() 'sample=' leaves spans and marks out, "
			       "not asynchronous events");
	return 0;
}

int python_plan_make(const struct aspect *const *aspects, size_t n_aspects,
		     const struct pointcut_atoms *atoms, struct python_plan *ret_plan,
		     struct why *why)
{
	_cleanup_(python_plan_done) struct python_plan plan = {0};
	int r;

	r = group_patterns(aspects, n_aspects, &plan);
	if (r == 0 && plan.n_groups > PF_PYTHON_MAX_GROUPS)
		r = why_say(why, -E2BIG,
			    "a session may have %d py() that count each for itself, this one has "
			    "%u; those with '||' between, and aspects of nothing else that record "
			    "the same and stand side by side, count as one",
			    PF_PYTHON_MAX_GROUPS, plan.n_groups);
	r = r ?: make_slots(aspects, n_aspects, atoms, &plan, why);
	if (r < 0)
		return r;
	*ret_plan = plan;
	plan.patterns = NULL;
	return 0;
}

/* Probes */

static bool find_own_probe(const char *name, struct python_probe *ret_probe)
{
	const char *number = strrchr(name, '_');
	unsigned long slot;
	char *end;

	if (!number)
		return false;
	slot = strtoul(number + 1, &end, 10);
	if (end == number + 1 || *end || slot >= PF_PYTHON_MAX_SLOTS)
		return false;
	for (unsigned int i = 0; i < PF_PYTHON_N_PROBES; i++) {
		if (strlen(probe_names[i]) != (size_t)(number - name) ||
		    strncmp(probe_names[i], name, (size_t)(number - name)) != 0)
			continue;
		*ret_probe = (struct python_probe){.which = i, .slot = (unsigned int)slot};
		return true;
	}
	return false;
}

bool python_find_probe(const char *provider, const char *name, struct python_probe *ret_probe)
{
	bool is_entry = strcmp(name, "function__entry") == 0;

	if (strcmp(provider, PF_PYTHON_PROVIDER) == 0)
		return find_own_probe(name, ret_probe);
	if (strcmp(provider, "python") != 0 || (!is_entry && strcmp(name, "function__return") != 0))
		return false;
	*ret_probe = (struct python_probe){
		.by_interpreter = true,
		.which = is_entry ? PF_PYTHON_ENTER : PF_PYTHON_LEAVE,
	};
	return true;
}

/* Python 3.11 has the probe at the entry too, and passes it by. */
static bool interpreter_serves(enum pf_python_probe which, const char *binary_name,
			       enum aspect_advice advice)
{
	if (text_glob("*python3.11*", binary_name) && advice != ASPECT_AFTER)
		return false;
	return advice == ASPECT_AROUND ||
	       (which == PF_PYTHON_ENTER ? advice == ASPECT_BEFORE : advice == ASPECT_AFTER);
}

bool python_probe_serves(const struct python_probe *probe, const char *binary_name,
			 enum aspect_advice advice)
{
	if (probe->by_interpreter)
		return interpreter_serves(probe->which, binary_name, advice);
	switch (advice) {
	case ASPECT_AROUND:
		return probe->which != PF_PYTHON_START && probe->which != PF_PYTHON_FINISH &&
		       probe->which != PF_PYTHON_RETURN;
	case ASPECT_BEFORE:
	case ASPECT_BEFORE_ASYNC:
		return probe->which == PF_PYTHON_START;
	case ASPECT_AFTER:
	case ASPECT_AFTER_ASYNC:
		return probe->which == PF_PYTHON_RETURN;
	case ASPECT_AROUND_ASYNC:
		return probe->which == PF_PYTHON_START || probe->which == PF_PYTHON_FINISH;
	default:
		return false;
	}
}

/* What the interpreter tells */

int python_plan_by_interpreter(struct python_plan *plan, const struct aspect *const *aspects,
			       size_t n_aspects, struct why *why)
{
	plan->by_interpreter = true;
	if (plan->n_slots > 1)
		return why_say(why, -EINVAL,
			       "of Python programs that run already all that py() selects is recorded "
			       "in one way and under one condition");
	for (size_t i = 0; i < n_aspects; i++) {
		if (pointcut_wants_python(aspects[i]->pointcut) && aspect_is_async(aspects[i]))
			return why_say(why, -EINVAL,
				       "of Python programs that run already py() records spans and "
				       "marks, not asynchronous events");
	}
	return 0;
}

/* "/usr/lib/python3/pkg/mod.py" becomes "usr.lib.python3.pkg.mod", "<frozen os>" becomes "os". */
static char *module_path(const char *file)
{
	static const char frozen[] = "<frozen ", package[] = ".__init__";
	bool is_frozen = strncmp(file, frozen, strlen(frozen)) == 0;
	char *path = strdup(is_frozen ? file + strlen(frozen) : file), *end;

	if (!path)
		return NULL;
	end = strrchr(path, is_frozen ? '>' : '.');
	if (end)
		*end = '\0';
	for (char *p = path; *p; p++) {
		if (*p == '/')
			*p = '.';
	}
	end = path + strlen(path);
	if (end - path > (ssize_t)strlen(package) && strcmp(end - strlen(package), package) == 0)
		end[-(ssize_t)strlen(package)] = '\0';
	return path;
}

/* The module's own name begins behind some dot of that path, or is all of it. */
static bool is_module(const char *glob, const char *path)
{
	for (const char *at = path; at; at = strchr(at, '.')) {
		at += *at == '.';
		if (text_glob(glob, at))
			return true;
	}
	return false;
}

/* Only the last part of a qualified name is known. */
static bool is_function(const char *glob, const char *function)
{
	const char *dot = strrchr(glob, '.');

	if (function[0] == '<' && strcmp(function, "<lambda>") != 0 && !strchr(glob, '<'))
		return false;
	return text_glob(dot ? dot + 1 : glob, function);
}

bool python_selects(const struct python_plan *plan, const char *file, const char *function)
{
	_cleanup_free_ char *path = module_path(file);
	unsigned int held = 0;

	for (size_t i = 0; path && i < plan->n_patterns; i++) {
		const struct python_pattern *pattern = &plan->patterns[i];

		if (is_function(pattern->node->name, function) && is_module(pattern->node->text, path))
			held |= 1U << pattern->group;
	}
	return plan->slots[held] >= 0;
}

/* Print */

int python_plan_print(const struct python_plan *plan, struct text *text)
{
	int r;

	r = text_append(text, "1 ", 2);
	for (unsigned int held = 0; r == 0 && held < 1U << plan->n_groups; held++) {
		char letter = plan->slots[held] < 0 ? '-' : (char)('a' + plan->slots[held]);

		r = text_append(text, &letter, 1);
	}
	r = r ?: text_append(text, "\n", 1);
	for (size_t i = 0; r == 0 && i < plan->n_patterns; i++) {
		const struct python_pattern *pattern = &plan->patterns[i];

		r = text_printf(text, "%u %s %s\n", pattern->group, pattern->node->text,
				pattern->node->name);
	}
	return r;
}
