/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A condition is made from the leaves up: a leaf that is decided is "always" or "never", an atom is
 * itself, and a "!" is carried down to the leaves on the way, where "and" and "or" change places.
 * exe() is decided for a function of a program's own file, and with it perhaps a whole expression
 * about the process.
 */
#include "probe/pointcut_atoms.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "binary/binary.h"
#include "probe/pointcut_node.h"
#include "util/text.h"

static bool is_atom(const struct node *node)
{
	return node->kind == NODE_CFLOW || (node->is_process && node->kind != NODE_NOT);
}

/* Returns its index, or n_items. */
static size_t find(const struct pointcut_atoms *atoms, const struct node *node)
{
	size_t i = 0;

	while (i < atoms->n_items && !node_is_equal(atoms->items[i], node))
		i++;
	return i;
}

static int add(struct pointcut_atoms *atoms, const struct node *node, struct why *why)
{
	int r = 0;

	if (!is_atom(node)) {
		for (size_t i = 0; r == 0 && i < node->n_children; i++)
			r = add(atoms, &node->children[i], why);
		return r;
	}
	if (find(atoms, node) < atoms->n_items)
		return 0;
	if (atoms->n_items == PF_MAX_ATOMS)
		return why_say(why, -E2BIG,
			       "a session may ask for %d different things that depend on the "
			       "process or the caller (exe, comm, uid, cgroup, job, rank, cflow), "
			       "this one asks for more",
			       PF_MAX_ATOMS);
	atoms->items[atoms->n_items++] = node;
	return 0;
}

int pointcut_atoms_add(struct pointcut_atoms *atoms, const struct pointcut *pointcut,
		       struct why *why)
{
	return add(atoms, &pointcut->root, why);
}

const struct pointcut *pointcut_atoms_cflow(const struct pointcut_atoms *atoms, size_t i)
{
	return atoms->items[i]->inner;
}

uint32_t pointcut_atoms_process_mask(const struct pointcut_atoms *atoms)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < atoms->n_items; i++)
		mask |= atoms->items[i]->is_process ? 1U << i : 0;
	return mask;
}

/* A process is in its cgroup and in those above; without a '/' the glob means the name of any of
 * them. */
static bool is_in_cgroup(const char *glob, const char *path)
{
	_cleanup_free_ char *above = strdup(path);
	char *slash;

	while (above && above[0]) {
		slash = strrchr(above, '/');
		if (text_glob(glob, strchr(glob, '/') || !slash ? above : slash + 1))
			return true;
		*(slash ?: above) = '\0';
	}
	return false;
}

static bool process_holds(const struct node *node, const struct pointcut_process *process);

/* Whether one of them at least does, or does not. */
static bool any_child(const struct node *node, bool holds, const struct pointcut_process *process)
{
	for (size_t i = 0; i < node->n_children; i++) {
		if (process_holds(&node->children[i], process) == holds)
			return true;
	}
	return false;
}

static bool process_holds(const struct node *node, const struct pointcut_process *process)
{
	switch (node->kind) {
	case NODE_ANY_OF:
		return any_child(node, true, process);
	case NODE_ALL_OF:
	case NODE_NOT:
		return !any_child(node, node->kind == NODE_NOT, process);
	case NODE_EXE:
		return process->exe && binary_is_named(node->text, process->exe, NULL);
	case NODE_COMM:
		return process->comm && text_glob(node->text, process->comm);
	case NODE_UID:
		return process->uid == node->least;
	case NODE_CGROUP:
		return process->cgroup && is_in_cgroup(node->text, process->cgroup);
	case NODE_JOB:
		return process->job && text_glob(node->text, process->job);
	case NODE_RANK:
		return process->rank >= 0 && node->least <= (uint64_t)process->rank &&
		       (uint64_t)process->rank <= node->most;
	default:
		return false;
	}
}

uint32_t pointcut_atoms_of_process(const struct pointcut_atoms *atoms,
				   const struct pointcut_process *process)
{
	uint32_t held = 0;

	for (size_t i = 0; i < atoms->n_items; i++) {
		if (atoms->items[i]->is_process && process_holds(atoms->items[i], process))
			held |= 1U << i;
	}
	return held;
}

struct builder {
	const struct pointcut_atoms *atoms;
	uint32_t held;
	struct question question;
};

static struct condition condition_of_leaf(struct builder *builder, const struct node *node,
					  bool denied)
{
	enum truth truth = node_ask(node, &builder->question);
	uint32_t bit;

	if (is_atom(node) && truth == PERHAPS) {
		size_t i = find(builder->atoms, node);

		assert(i < builder->atoms->n_items);
		bit = 1U << i;
		if (!(builder->held & bit))
			return condition_of(bit, denied ? 0 : bit);
		truth = YES;
	}
	return (truth == NO) == denied ? condition_of(0, 0) : (struct condition){};
}

static int build(struct builder *builder, const struct node *node, bool denied,
		 struct condition *ret_condition)
{
	bool any = (node->kind == NODE_ANY_OF) != denied;
	struct condition child;
	int r = 0;

	if (is_atom(node) || node->kind > NODE_NOT) {
		*ret_condition = condition_of_leaf(builder, node, denied);
		return builder->question.error;
	}
	if (node->kind == NODE_NOT)
		return build(builder, node->children, !denied, ret_condition);

	*ret_condition = any ? (struct condition){} : condition_of(0, 0);
	for (size_t i = 0; r == 0 && i < node->n_children; i++) {
		r = build(builder, &node->children[i], denied, &child);
		if (r == 0)
			r = any ? condition_or(ret_condition, &child)
				: condition_and(ret_condition, &child);
	}
	return r;
}

static int refuse(struct why *why)
{
	return why_say(why, -E2BIG,
		       "what depends on the process and the caller comes down to more than %d "
		       "alternatives; terms of the process count as one where they stand together "
		       "in parentheses",
		       PF_MAX_ALTERNATIVES);
}

int pointcut_condition(const struct pointcut *pointcut, const struct pointcut_atoms *atoms,
		       const struct pointcut_subject *subject, uint32_t held,
		       struct pf_condition *ret_condition, const char **ret_matched,
		       struct why *why)
{
	struct builder builder = {
		.atoms = atoms,
		.held = held,
		.question = {.subject = subject, .knows = KNOWS_ALL, .why = why},
	};
	struct condition condition = condition_of(0, 0);
	const char *matched = NULL;
	enum truth truth;
	int r;

	r = pointcut_ask(pointcut, subject, &truth, &matched, why);
	if (r < 0 || truth == NO)
		return r;
	if (truth == PERHAPS)
		r = build(&builder, &pointcut->root, false, &condition);
	if (r == 0)
		r = condition_pack(&condition, pointcut_atoms_process_mask(atoms), ret_condition);
	if (r == -E2BIG)
		return refuse(why);
	if (r == 1 && matched && ret_matched)
		*ret_matched = matched;
	return r;
}

int pointcut_condition_or(struct pf_condition *condition, const struct pf_condition *other,
			  struct why *why)
{
	struct condition both = condition_unpack(condition), second = condition_unpack(other);
	int r;

	r = condition_or(&both, &second);
	if (r == 0)
		r = condition_pack(&both, condition->process_atoms | other->process_atoms,
				   condition);
	return r == -E2BIG ? refuse(why) : r < 0 ? r : 0;
}
