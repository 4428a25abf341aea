/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Only behind a parenthesis can options stand: the end of a bare name is not to be told from them.
 * A word of advice counts only before a "(", so a function may have its name; one that takes
 * arguments is then asked for by execution(around(int)).
 */
#include "probe/aspect.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/aspect_option.h"

static const char *const advices[ASPECT_N_ADVICES] = {
	[ASPECT_AROUND] = "around",
	[ASPECT_BEFORE] = "before",
	[ASPECT_AFTER] = "after",
	[ASPECT_AROUND_ASYNC] = "around_async",
	[ASPECT_BEFORE_ASYNC] = "before_async",
	[ASPECT_AFTER_ASYNC] = "after_async",
};

const char *aspect_advice_name(enum aspect_advice advice)
{
	return advices[advice];
}

bool aspect_sees_entry(const struct aspect *aspect)
{
	return aspect->advice != ASPECT_AFTER && aspect->advice != ASPECT_AFTER_ASYNC;
}

bool aspect_sees_return(const struct aspect *aspect)
{
	return (aspect->advice != ASPECT_BEFORE && aspect->advice != ASPECT_BEFORE_ASYNC) ||
	       aspect_begins_late(aspect);
}

bool aspect_begins_late(const struct aspect *aspect)
{
	return aspect->advice == ASPECT_BEFORE_ASYNC && aspect->id == ASPECT_ID_RETURN;
}

bool aspect_follows_annotations(const struct aspect *aspect)
{
	return aspect->advice == ASPECT_AROUND && pointcut_wants_annotations(aspect->pointcut);
}

void aspect_free(struct aspect *aspect)
{
	if (!aspect)
		return;

	for (size_t i = 0; i < aspect->n_args; i++)
		free(aspect->args[i].name);
	free(aspect->args);
	free(aspect->id_value.name);
	free(aspect->name);
	free(aspect->category);
	pointcut_free(aspect->pointcut);
	free(aspect);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_value(const struct aspect_value *a, const struct aspect_value *b)
{
	return is_same_text(a->name, b->name) && a->type == b->type &&
	       a->n_dereferences == b->n_dereferences && a->max_bytes == b->max_bytes &&
	       a->position == b->position;
}

static bool captures_the_same(const struct aspect *a, const struct aspect *b)
{
	if (a->all_args != b->all_args || a->n_args != b->n_args || a->has_ret != b->has_ret ||
	    !is_same_value(&a->ret, &b->ret))
		return false;
	for (size_t i = 0; i < a->n_args; i++) {
		if (!is_same_value(&a->args[i], &b->args[i]))
			return false;
	}
	return true;
}

bool aspect_records_the_same(const struct aspect *a, const struct aspect *b)
{
	return a->advice == b->advice && a->returns == b->returns && a->min_ns == b->min_ns &&
	       a->sample == b->sample && a->with_stack == b->with_stack &&
	       captures_the_same(a, b) && a->id == b->id && a->is_instant == b->is_instant &&
	       is_same_value(&a->id_value, &b->id_value) && is_same_text(a->name, b->name) &&
	       a->name_value == b->name_value && is_same_text(a->category, b->category);
}

/* Goes to the "(" behind a word of advice, and returns 1 if there is one. */
static int parse_advice(struct parser *parser, struct aspect *aspect)
{
	const char *text;
	size_t n;

	parser_skip_space(parser);
	text = parser->text + parser->at;
	n = parser_word(parser);
	if (text[n + strspn(text + n, SPACE)] != '(')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (strlen(advices[i]) != n || strncmp(text, advices[i], n) != 0)
			continue;
		aspect->advice = i;
		parser->at += n;
		parser_skip_space(parser);
		return 1;
	}
	return 0;
}

/* "(" pointcut ")" of an advice */
static int parse_advised(struct parser *parser, struct aspect *aspect)
{
	size_t open = parser->at++;
	int r;

	r = pointcut_parse_part(parser, &aspect->pointcut);
	if (r < 0)
		return r;
	if (!parser->text[parser->at])
		return parse_error(parser, open, "')' was expected, to close the '('");
	if (parser->text[parser->at] != ')')
		return parse_error(parser, parser->at, "'&&', '||' or ')' was expected, not '%c'",
				   parser->text[parser->at]);
	parser->at++;
	return aspect_parse_options(parser, aspect);
}

/* Whether the text so far ends in a parenthesis of the pointcut's own, so that options may follow.
 */
static bool is_closed(const struct parser *parser, size_t start)
{
	size_t at = parser->at;

	while (at > start && isspace((unsigned char)parser->text[at - 1]))
		at--;
	return at > start && parser->text[start] == '(' && parser->text[at - 1] == ')';
}

static int parse_bare(struct parser *parser, struct aspect *aspect)
{
	size_t start = parser->at;
	int r;

	r = pointcut_parse_part(parser, &aspect->pointcut);
	if (r < 0)
		return r;
	if (is_closed(parser, start) && parser_word(parser))
		return aspect_parse_options(parser, aspect);
	if (parser->text[parser->at])
		return parse_error(parser, parser->at,
				   "'&&', '||' or the end was expected, not '%c'",
				   parser->text[parser->at]);
	return 0;
}

static int parse(struct parser *parser, struct aspect *aspect)
{
	int r;

	r = pointcut_check_length(parser);
	if (r == 0)
		r = parse_advice(parser, aspect);
	if (r < 0)
		return r;
	return r ? parse_advised(parser, aspect) : parse_bare(parser, aspect);
}

int aspect_parse(const char *text, struct aspect **ret_aspect, size_t *ret_column, struct why *why)
{
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	struct parser parser = {.text = text, .why = why};
	int r;

	aspect = calloc(1, sizeof(*aspect));
	if (!aspect)
		return -ENOMEM;
	aspect->name_value = -1;
	r = parse(&parser, aspect);
	if (r < 0) {
		if (ret_column)
			*ret_column = parser.column;
		return r;
	}
	*ret_aspect = take_ptr(aspect);
	return 0;
}
