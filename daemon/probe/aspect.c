/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Only behind a parenthesis can options stand: the end of a bare name is not to be told from them.
 * A word of advice counts only before a "(", so a function may have its name; one that takes
 * arguments is then asked for by execution(around(int)).
 */
#include "probe/aspect.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void aspect_free(struct aspect *aspect)
{
	if (!aspect)
		return;

	pointcut_free(aspect->pointcut);
	free(aspect);
}

static size_t word_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n;
}

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && strncmp(text, word, n) == 0;
}

/* Goes to the "(" behind a word of advice, and returns 1 if there is one. */
static int parse_advice(struct parser *parser, struct aspect *aspect)
{
	static const char *const others[] = {"before", "after", "before_async", "after_async",
					     "around_async"};
	const char *text;
	size_t n;

	parser_skip_space(parser);
	text = parser->text + parser->at;
	n = word_length(text);
	if (n == 0 || text[n + strspn(text + n, SPACE)] != '(')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (is_word(text, n, others[i]))
			return parse_error(parser, parser->at,
					   "'around' is the advice of this version, '%.*s' is "
					   "none; a function of that name is "
					   "asked for with execution(%.*s(*))",
					   (int)n, text, (int)n, text);
	}
	if (!is_word(text, n, "around"))
		return 0;
	aspect->advice = ASPECT_AROUND;
	parser->at += n;
	parser_skip_space(parser);
	return 1;
}

static int parse_returns(struct parser *parser, struct aspect *aspect)
{
	size_t n = word_length(parser->text + parser->at);
	char word[16];

	snprintf(word, sizeof(word), "%.*s", (int)n, parser->text + parser->at);
	if (n >= sizeof(word) || site_mode_parse(word, &aspect->returns) < 0)
		return parse_error(
			parser, parser->at,
			"'auto', 'sites', 'probes' or 'never' was expected after 'returns='");
	aspect->says_returns = true;
	parser->at += n;
	return 0;
}

static int parse_option(struct parser *parser, struct aspect *aspect)
{
	static const struct {
		const char *word;
		int (*parse)(struct parser *parser, struct aspect *aspect); /* from its value on */
	} options[] = {
		{"returns", parse_returns},
	};
	const char *text = parser->text + parser->at;
	size_t n = word_length(text);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (is_word(text, n, options[i].word) && text[n] == '=') {
			parser->at += n + 1;
			return options[i].parse(parser, aspect);
		}
	}
	return parse_error(parser, parser->at,
			   "an option (returns=) or the end was expected, not '%.*s'",
			   n ? (int)n : 1, text);
}

/* Each option has white space before it, but for the first, which has a ")" there. */
static int parse_options(struct parser *parser, struct aspect *aspect)
{
	int r = 0;

	parser_skip_space(parser);
	while (r == 0 && parser->text[parser->at]) {
		r = parse_option(parser, aspect);
		if (r == 0 && parser->text[parser->at] &&
		    !isspace((unsigned char)parser->text[parser->at]))
			return parse_error(parser, parser->at, "white space was expected, not '%c'",
					   parser->text[parser->at]);
		parser_skip_space(parser);
	}
	return r;
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
	return parse_options(parser, aspect);
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
	if (is_closed(parser, start) && word_length(parser->text + parser->at))
		return parse_options(parser, aspect);
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
	r = parse(&parser, aspect);
	if (r < 0) {
		if (ret_column)
			*ret_column = parser.column;
		return r;
	}
	*ret_aspect = take_ptr(aspect);
	return 0;
}
