/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A recursive descent, one function for each line of the grammar, makes a tree. Parentheses leave a
 * node of their own kind of children only where they change the tree, so that printing needs few of
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pointcut_node.h"
#include "util/cleanup.h"

#define MAX_TEXT_BYTES 4096
#define MAX_DEPTH      64

static int parse_any_of(struct parser *parser, struct node *ret_node);
static int parse_factor(struct parser *parser, struct node *ret_node);

/* "!" factor */
static int parse_not(struct parser *parser, struct node *node)
{
	struct node child = {};
	int r;

	parser->at++;
	r = parse_factor(parser, &child);
	if (r < 0)
		return r;
	node->kind = NODE_NOT;
	r = array_grow(&node->children, 0, sizeof(child));
	if (r < 0) {
		node_done(&child);
		return r;
	}
	node->asks_source = child.asks_source;
	node->is_process = child.is_process;
	node->children[node->n_children++] = child;
	return 0;
}

/* "(" pointcut ")" */
static int parse_group(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;
	int r;

	r = parse_any_of(parser, node);
	if (r < 0)
		return r;
	if (parser->text[parser->at] && parser->text[parser->at] != ')')
		return parse_error(parser, parser->at, "'&&', '||' or ')' was expected, not '%c'",
				   parser->text[parser->at]);
	return parser_close(parser, open);
}

static int parse_leaf(struct parser *parser, struct node *node)
{
	int r = node_parse_term(parser, node);

	if (r != 0)
		return r < 0 ? r : 0;
	node->kind = NODE_PATTERN;
	return pattern_parse(parser, &node->pattern);
}

static bool is_group(const struct parser *parser)
{
	static const char anonymous[] = "(anonymous namespace)";
	const char *text = parser->text + parser->at;

	return *text == '(' && strncmp(text, anonymous, strlen(anonymous)) != 0;
}

/* As deep as it may be: one pattern or term, in parentheses where printing has to put them. */
static int parse_deepest(struct parser *parser, struct node *node)
{
	bool wrapped = is_group(parser), too_deep;
	int r = 0;

	if (wrapped)
		parser->at++;
	parser_skip_space(parser);
	too_deep = parser->text[parser->at] == '!' || is_group(parser);
	if (!too_deep)
		r = parse_leaf(parser, node);
	if (r == 0 && wrapped && !too_deep) {
		parser_skip_space(parser);
		too_deep = parser->text[parser->at] != ')';
		parser->at += !too_deep;
	}
	return too_deep ? parse_error(parser, parser->at,
				      "an expression may be nested %d deep, this one is deeper",
				      MAX_DEPTH)
			: r;
}

/* factor = [ "!" ] ( "(" pointcut ")" | designator | pattern ) */
static int parse_factor(struct parser *parser, struct node *ret_node)
{
	struct node node = {};
	int r;

	parser_skip_space(parser);
	if (parser->depth == MAX_DEPTH) {
		r = parse_deepest(parser, &node);
	} else {
		parser->depth++;
		if (parser->text[parser->at] == '!')
			r = parse_not(parser, &node);
		else if (is_group(parser))
			r = parse_group(parser, &node);
		else
			r = parse_leaf(parser, &node);
		parser->depth--;
	}
	parser_skip_space(parser);
	if (r < 0) {
		node_done(&node);
		return r;
	}
	*ret_node = node;
	return 0;
}

/* One or more of something with an operator between; one alone needs no node around it. */
static int parse_list(struct parser *parser, enum node_kind kind, const char *operator,
		      int (*parse_child)(struct parser *, struct node *), struct node *ret_node)
{
	struct node node = {.kind = kind, .is_process = true}, child = {};
	int r;

	for (;;) {
		r = parse_child(parser, &child);
		if (r < 0)
			break;
		if (node.n_children == 0 && strncmp(parser->text + parser->at, operator, 2) != 0) {
			*ret_node = child;
			return 0;
		}
		r = array_grow(&node.children, node.n_children, sizeof(child));
		if (r < 0) {
			node_done(&child);
			break;
		}
		node.asks_source |= child.asks_source;
		node.is_process &= child.is_process;
		node.children[node.n_children++] = child;
		if (strncmp(parser->text + parser->at, operator, 2) != 0)
			break;
		parser->at += 2;
	}
	if (r < 0) {
		node_done(&node);
		return r;
	}
	*ret_node = node;
	return 0;
}

/* term = factor { "&&" factor } */
static int parse_all_of(struct parser *parser, struct node *ret_node)
{
	return parse_list(parser, NODE_ALL_OF, "&&", parse_factor, ret_node);
}

/* pointcut = term { "||" term } */
static int parse_any_of(struct parser *parser, struct node *ret_node)
{
	return parse_list(parser, NODE_ANY_OF, "||", parse_all_of, ret_node);
}

int pointcut_parse_part(struct parser *parser, struct pointcut **ret_pointcut)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = NULL;
	int r;

	pointcut = calloc(1, sizeof(*pointcut));
	if (!pointcut)
		return -ENOMEM;
	r = parse_any_of(parser, &pointcut->root);
	if (r < 0)
		return r;
	*ret_pointcut = take_ptr(pointcut);
	return 0;
}

int pointcut_check_length(struct parser *parser)
{
	if (strlen(parser->text) > MAX_TEXT_BYTES)
		return parse_error(parser, MAX_TEXT_BYTES,
				   "an expression may have %d bytes, this one has more",
				   MAX_TEXT_BYTES);
	return 0;
}

static int parse_whole(struct parser *parser, struct pointcut **ret_pointcut)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = NULL;
	int r;

	r = pointcut_check_length(parser);
	if (r < 0)
		return r;
	r = pointcut_parse_part(parser, &pointcut);
	if (r < 0)
		return r;
	if (parser->text[parser->at])
		return parse_error(parser, parser->at,
				   "'&&', '||' or the end was expected, not '%c'",
				   parser->text[parser->at]);
	*ret_pointcut = take_ptr(pointcut);
	return 0;
}

int pointcut_parse(const char *text, struct pointcut **ret_pointcut, size_t *ret_column,
		   struct why *why)
{
	struct parser parser = {.text = text, .why = why};
	int r;

	r = parse_whole(&parser, ret_pointcut);
	if (r < 0 && ret_column)
		*ret_column = parser.column;
	return r;
}
