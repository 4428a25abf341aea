/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "probe/pointcut_atoms.h"
#include "probe/pointcut_node.h"
#include "util/cleanup.h"

static int print_range(const char *term, const struct node *node, struct text *text)
{
	if (node->least == node->most)
		return text_printf(text, "%s(%" PRIu64 ")", term, node->least);
	if (node->most == UINT64_MAX)
		return text_printf(text, "%s(%" PRIu64 "..)", term, node->least);
	return text_printf(text, "%s(%" PRIu64 "..%" PRIu64 ")", term, node->least, node->most);
}

static int print_within(const struct node *node, struct text *text)
{
	return text_printf(text, "within(%s%s)",
			   node->is_explicit ? place_prefix(node->places) : "", node->text);
}

static int print_cflow(const struct node *node, struct text *text)
{
	int r;

	r = text_append(text, "cflow(", 6);
	if (r == 0)
		r = pointcut_print(node->inner, text);
	return r < 0 ? r : text_append(text, ")", 1);
}

static int node_print(const struct node *node, struct text *text);

/* In parentheses where it would else be read as part of what is around it. */
static int print_child(const struct node *parent, const struct node *child, struct text *text)
{
	bool wrap = child->kind <= parent->kind && child->n_children > 1;
	int r = 0;

	if (wrap)
		r = text_append(text, "(", 1);
	if (r == 0)
		r = node_print(child, text);
	if (r == 0 && wrap)
		r = text_append(text, ")", 1);
	return r;
}

static int print_list(const struct node *node, const char *operator, struct text * text)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->n_children; i++) {
		if (i > 0)
			r = text_append(text, operator, strlen(operator));
		if (r == 0)
			r = print_child(node, &node->children[i], text);
	}
	return r;
}

static int node_print(const struct node *node, struct text *text)
{
	int r;

	switch (node->kind) {
	case NODE_ANY_OF:
		return print_list(node, " || ", text);
	case NODE_ALL_OF:
		return print_list(node, " && ", text);
	case NODE_NOT:
		r = text_append(text, "!", 1);
		return r < 0 ? r : print_child(node, node->children, text);
	case NODE_PATTERN:
		return pattern_print(&node->pattern, node->is_execution, text);
	case NODE_WITHIN:
		return print_within(node, text);
	case NODE_SIZE:
		return print_range("size", node, text);
	case NODE_USDT:
		return text_printf(text, "usdt(%s:%s)", node->text, node->name);
	case NODE_PY:
		return text_printf(text, "py(%s:%s)", node->text, node->name);
	case NODE_ANNOTATED:
		return text_printf(text, "annotated()");
	case NODE_CFLOW:
		return print_cflow(node, text);
	case NODE_EXE:
		return text_printf(text, "exe(%s)", node->text);
	case NODE_UID:
		return print_range("uid", node, text);
	case NODE_RANK:
		return print_range("rank", node, text);
	case NODE_COMM:
		return text_printf(text, "comm(%s)", node->text);
	case NODE_CGROUP:
		return text_printf(text, "cgroup(%s)", node->text);
	case NODE_JOB:
		return text_printf(text, "job(%s)", node->text);
	}
	return -EINVAL;
}

int pointcut_print(const struct pointcut *pointcut, struct text *text)
{
	return node_print(&pointcut->root, text);
}

static int print_alternative(struct pf_alternative alternative, const struct pointcut_atoms *atoms,
			     struct text *text)
{
	const char *and = "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < atoms->n_items; i++) {
		bool wrap = atoms->items[i]->n_children > 1;

		if (!(alternative.mask & 1U << i))
			continue;
		r = text_printf(text, "%s%s%s", and, alternative.wanted & 1U << i ? "" : "!",
				wrap ? "(" : "");
		if (r == 0)
			r = node_print(atoms->items[i], text);
		if (r == 0 && wrap)
			r = text_append(text, ")", 1);
		and = " && ";
	}
	return r;
}

int pointcut_condition_print(const struct pf_condition *condition,
			     const struct pointcut_atoms *atoms, struct text *text)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < condition->n_alternatives; i++) {
		if (i > 0)
			r = text_append(text, " || ", 4);
		if (r == 0)
			r = print_alternative(condition->alternatives[i], atoms, text);
	}
	return r;
}
