/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/pointcut_node.h"

#include <stdlib.h>
#include <string.h>

void node_done(struct node *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		node_done(&node->children[i]);
	free(node->children);
	pattern_done(&node->pattern);
	free(node->text);
	free(node->name);
	regex_free(node->regex);
	pointcut_free(node->inner);
	*node = (struct node){};
}

void pointcut_free(struct pointcut *pointcut)
{
	if (!pointcut)
		return;

	node_done(&pointcut->root);
	free(pointcut);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_leaf(const struct node *a, const struct node *b)
{
	return is_same_text(a->pattern.module, b->pattern.module) &&
	       is_same_text(a->pattern.written, b->pattern.written) &&
	       is_same_text(a->text, b->text) && is_same_text(a->name, b->name) &&
	       a->places == b->places && a->least == b->least && a->most == b->most;
}

bool node_is_equal(const struct node *a, const struct node *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->n_children != b->n_children || !is_same_leaf(a, b) ||
	    !a->inner != !b->inner)
		return false;
	for (size_t i = 0; i < a->n_children; i++) {
		if (!node_is_equal(&a->children[i], &b->children[i]))
			return false;
	}
	return !a->inner || node_is_equal(&a->inner->root, &b->inner->root);
}
