/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A value is cut out first, and its quotes taken off, then read by a parser of its own; for its
 * errors each of its characters remembers its column. What goes together with what is looked at
 * when all options are known, since they come in any order.
 */
#include "probe/aspect_option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct value {
	struct parser parser; /* of its text, without quotes */
	char *text;
	size_t *columns; /* of each character, and of the end */
	size_t brace;	 /* where the first { is that is not escaped; SIZE_MAX: none */
};

enum option_kind {
	OPTION_RETURNS,
	OPTION_MIN,
	OPTION_SAMPLE,
	OPTION_ARGS,
	OPTION_RET,
	OPTION_ID,
	OPTION_NAME,
	OPTION_CAT,
	OPTION_STACK,
	N_OPTIONS
};

/* Where each begins that was said. */
struct said {
	bool is_said[N_OPTIONS];
	size_t at[N_OPTIONS];
	char *named; /* name={...}: what stands in it */
};

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && strncmp(text, word, n) == 0;
}

static void value_done(struct value *value)
{
	free(value->text);
	free(value->columns);
}

static int value_init(struct value *value, const struct parser *parser)
{
	size_t room = strlen(parser->text + parser->at) + 1;

	*value = (struct value){
		.parser.why = parser->why,
		.brace = SIZE_MAX,
		.text = calloc(room, 1),
		.columns = calloc(room, sizeof(*value->columns)),
	};
	value->parser.text = value->text;
	return value->text && value->columns ? 0 : -ENOMEM;
}

/* Up to white space that stands neither in quotes nor, where the value begins with one, in a
 * parenthesis. */
static int take_value(struct parser *parser, struct value *value)
{
	const char *text = parser->text;
	size_t n = 0, start = parser->at, open = 0, depth = 0;
	char quote = 0;

	for (; text[parser->at]; parser->at++) {
		char c = text[parser->at];

		if (!quote && depth == 0 && isspace((unsigned char)c))
			break;
		if (c == '\\' && !text[++parser->at])
			return parse_error(parser, parser->at - 1,
					   "a character was expected after '\\'");
		if (c != '\\' && (quote ? c == quote : c == '"' || c == '\'')) {
			quote = quote ? 0 : c;
			open = parser->at;
			continue;
		}
		if (c != '\\' && !quote && text[start] == '(')
			depth += (c == '(') - (c == ')' && depth > 0);
		if (c == '{' && value->brace == SIZE_MAX)
			value->brace = n;
		value->columns[n] = parser->at;
		value->text[n++] = text[parser->at];
	}
	value->columns[n] = parser->at;
	if (quote)
		return parse_error(parser, open, "a second %c was expected, to end the text",
				   quote);
	return depth ? parse_error(parser, start, "')' was expected, to close the '('") : 0;
}

static int parse_returns(struct parser *value, struct aspect *aspect)
{
	if (site_mode_parse(value->text, &aspect->returns) < 0)
		return parse_error(
			value, 0,
			"'auto', 'sites', 'probes' or 'never' was expected after 'returns='");
	aspect->says_returns = true;
	return 0;
}

/* N unit */
static int parse_min(struct parser *value, struct aspect *aspect)
{
	static const char example[] = "a duration was expected after 'min=', as in min=10us, with "
				      "the unit 'ns', 'us', 'ms' or 's'";
	uint64_t number;

	if (!aspect_parse_number(value, UINT64_MAX - 1, &number))
		return parse_error(value, 0, "%s", example);
	for (size_t i = 0; i < ARRAY_SIZE(aspect_units); i++) {
		if (strcmp(value->text + value->at, aspect_units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(number, aspect_units[i].ns, &aspect->min_ns))
			return parse_error(value, 0, "'%s' is longer than any call", value->text);
		if (!aspect->min_ns)
			return parse_error(value, 0,
					   "a duration above 0 was expected after 'min='");
		return 0;
	}
	return parse_error(value, value->at, "%s", example);
}

/* "1/" N */
static int parse_sample(struct parser *value, struct aspect *aspect)
{
	uint64_t n = 0;

	value->at = strncmp(value->text, "1/", 2) == 0 ? 2 : 0;
	if (value->at == 0 || !aspect_parse_number(value, UINT32_MAX, &n) || n == 0 ||
	    value->text[value->at])
		return parse_error(value, 0,
				   "'1/' and a number up to 4294967295 were expected after "
				   "'sample=', as in sample=1/100");
	aspect->sample = n;
	return 0;
}

static int take_text(struct parser *value, const char *expected, char **ret_text)
{
	if (!value->text[0])
		return parse_error(value, 0, "%s", expected);
	*ret_text = strdup(value->text);
	return *ret_text ? 0 : -ENOMEM;
}

static int parse_name(struct parser *value, struct aspect *aspect)
{
	return take_text(value, "a name was expected after 'name='", &aspect->name);
}

static int parse_category(struct parser *value, struct aspect *aspect)
{
	if (strncmp(value->text, "__", 2) == 0)
		return parse_error(value, 0, "categories that begin with '__' are perfflow's own");
	return take_text(value, "a category was expected after 'cat='", &aspect->category);
}

static const struct {
	const char *word;
	int (*parse)(struct parser *value, struct aspect *aspect); /* NULL: it has no value */
} options[N_OPTIONS] = {
	[OPTION_RETURNS] = {"returns", parse_returns},
	[OPTION_MIN] = {"min", parse_min},
	[OPTION_SAMPLE] = {"sample", parse_sample},
	[OPTION_ARGS] = {"args", aspect_parse_args},
	[OPTION_RET] = {"ret", aspect_parse_ret},
	[OPTION_ID] = {"id", aspect_parse_id},
	[OPTION_NAME] = {"name", parse_name},
	[OPTION_CAT] = {"cat", parse_category},
	[OPTION_STACK] = {"stack", NULL},
};

/* name={argument}: returns 1, or 0 for a text. */
static int take_named(struct value *value, struct said *said)
{
	const char *end = value->brace == SIZE_MAX ? NULL : strchr(value->text + value->brace, '}');

	if (!end)
		return 0;
	if (value->brace || end[1])
		return parse_error(&value->parser, value->brace,
				   "an argument is the whole name, as in name={path}; '\\{' is a brace in a text");
	said->named = strndup(value->text + 1, end - value->text - 1);
	return said->named ? 1 : -ENOMEM;
}

static int parse_value(struct parser *parser, struct aspect *aspect, struct said *said,
		       enum option_kind option)
{
	_cleanup_(value_done) struct value value;
	int r;

	r = value_init(&value, parser);
	if (r == 0)
		r = take_value(parser, &value);
	if (r < 0)
		return r;
	if (option == OPTION_NAME)
		r = take_named(&value, said);
	if (r == 0)
		r = options[option].parse(&value.parser, aspect);
	if (r == -EINVAL)
		parser->column = value.columns[value.parser.column];
	return r < 0 ? r : 0;
}

static int parse_option(struct parser *parser, struct aspect *aspect, struct said *said)
{
	const char *text = parser->text + parser->at;
	enum option_kind i = 0;
	size_t n = parser_word(parser);

	while (i < N_OPTIONS &&
	       !(is_word(text, n, options[i].word) && (text[n] == '=' || !options[i].parse)))
		i++;
	if (i == N_OPTIONS)
		return parse_error(parser, parser->at,
				   "an option (min= sample= args= ret= id= name= cat= returns= "
				   "stack) or the end was expected, not '%.*s'",
				   n ? (int)n : 1, text);
	if (said->is_said[i])
		return parse_error(parser, parser->at, "'%s' is said twice", options[i].word);
	said->is_said[i] = true;
	said->at[i] = parser->at;
	parser->at += n + (options[i].parse != NULL);
	if (options[i].parse)
		return parse_value(parser, aspect, said, i);
	aspect->with_stack = true;
	return 0;
}

static bool sees_no_return(const struct aspect *aspect)
{
	return !aspect_sees_return(aspect) ||
	       (aspect->says_returns && aspect->returns == SITE_MODE_NEVER);
}

static int check_returns(struct parser *parser, const struct aspect *aspect,
			 const struct said *said)
{
	const char *advice = aspect_advice_name(aspect->advice);

	if (!said->is_said[OPTION_RETURNS])
		return 0;
	if (!aspect_sees_return(aspect))
		return parse_error(
			parser, said->at[OPTION_RETURNS],
			"'returns=' says how the return is seen, which '%s' does not need", advice);
	if (aspect->advice != ASPECT_AROUND && sees_no_return(aspect))
		return parse_error(parser, said->at[OPTION_RETURNS],
				   "'%s' needs the return, which 'returns=never' does not see",
				   advice);
	return 0;
}

static int check_min(struct parser *parser, const struct aspect *aspect, const struct said *said)
{
	if (!said->is_said[OPTION_MIN])
		return 0;
	if (aspect->advice != ASPECT_AROUND)
		return parse_error(parser, said->at[OPTION_MIN],
				   "'min=' is for 'around', which knows how long a call took, not "
				   "for '%s'",
				   aspect_advice_name(aspect->advice));
	if (sees_no_return(aspect))
		return parse_error(parser, said->at[OPTION_MIN],
				   "'min=' needs the return, which 'returns=never' does not see");
	return 0;
}

static int check_sample(struct parser *parser, const struct aspect *aspect, const struct said *said)
{
	if (said->is_said[OPTION_SAMPLE] &&
	    (aspect->advice == ASPECT_BEFORE_ASYNC || aspect->advice == ASPECT_AFTER_ASYNC))
		return parse_error(parser, said->at[OPTION_SAMPLE],
				   "'sample=' is not for '%s': events would miss their other half",
				   aspect_advice_name(aspect->advice));
	return 0;
}

static int check_ret(struct parser *parser, const struct aspect *aspect, const struct said *said)
{
	if (said->is_said[OPTION_RET] && sees_no_return(aspect))
		return parse_error(parser, said->at[OPTION_RET],
				   "'ret=' needs the return, which '%s' does not see",
				   aspect_sees_return(aspect) ? "returns=never"
							      : aspect_advice_name(aspect->advice));
	return 0;
}

/* The argument of that name, or where there is none of that position; or n_args. */
static size_t find_argument(const struct aspect *aspect, const char *name, unsigned int position)
{
	size_t i = 0;

	while (i < aspect->n_args &&
	       !(name ? aspect->args[i].name && strcmp(aspect->args[i].name, name) == 0
		      : aspect->args[i].position == position))
		i++;
	return i;
}

/* An id that is an argument among the others is read as that one. */
static int settle_id(struct parser *parser, struct aspect *aspect, const struct said *said)
{
	struct aspect_value *id = &aspect->id_value;
	const struct aspect_value *argument;
	size_t i;

	if (aspect->id != ASPECT_ID_ARGUMENT)
		return 0;
	i = find_argument(aspect, id->name, id->position);
	if (i == aspect->n_args)
		return 0;
	argument = &aspect->args[i];
	if (argument->type == ASPECT_TYPE_F32 || argument->type == ASPECT_TYPE_F64 ||
	    argument->type == ASPECT_TYPE_STR || argument->type == ASPECT_TYPE_STRING)
		return parse_error(parser, said->at[OPTION_ID],
				   "an id is a whole number or an address, not a '%s'",
				   aspect_type_name(argument->type));
	id->type = argument->type;
	id->n_dereferences = argument->n_dereferences;
	id->position = argument->position;
	return 0;
}

static int check_id(struct parser *parser, struct aspect *aspect, const struct said *said)
{
	if (!said->is_said[OPTION_ID])
		return 0;
	if (aspect->advice == ASPECT_AROUND)
		return parse_error(parser, said->at[OPTION_ID],
				   "'id=' is for asynchronous events and for moments of them, which "
				   "'before' and 'after' record, not for 'around'");
	aspect->is_instant = !aspect_is_async(aspect);
	if (aspect->id == ASPECT_ID_RETURN &&
	    (aspect->advice == ASPECT_BEFORE || aspect->advice == ASPECT_AROUND_ASYNC))
		return parse_error(parser, said->at[OPTION_ID],
				   "'id=ret' is for 'before_async', 'after_async' and 'after': '%s' "
				   "tells of the entry at once, when it is not known",
				   aspect_advice_name(aspect->advice));
	return settle_id(parser, aspect, said);
}

/* name={argument} or name={position} */
static int settle_name(struct parser *parser, struct aspect *aspect, const struct said *said)
{
	struct parser named = {.text = said->named};
	bool is_position = false;
	uint64_t position = 0;
	size_t i;

	if (!said->named)
		return 0;
	if (isdigit((unsigned char)said->named[0]))
		is_position = aspect_parse_number(&named, ASPECT_MAX_POSITION, &position) &&
			      position > 0 && !named.text[named.at];
	i = find_argument(aspect, is_position ? NULL : said->named, position);
	if (i == aspect->n_args)
		return parse_error(parser, said->at[OPTION_NAME],
				   "'%s' is not in 'args=(...)', from where 'name=' would take it",
				   said->named);
	aspect->name_value = i;
	return 0;
}

static int check_captures(struct parser *parser, const struct aspect *aspect,
			  const struct said *said)
{
	size_t n = aspect->n_args + aspect->has_ret;
	const struct aspect_value *id = &aspect->id_value;

	if (aspect->id == ASPECT_ID_RETURN ||
	    (aspect->id == ASPECT_ID_ARGUMENT &&
	     find_argument(aspect, id->name, id->position) == aspect->n_args))
		n++;
	if (n > PF_MAX_CAPTURES)
		return parse_error(parser, said->at[OPTION_ARGS],
				   "%d values can be captured, with 'ret=' and 'id=' these are %zu",
				   PF_MAX_CAPTURES, n);
	return 0;
}

static int check_together(struct parser *parser, struct aspect *aspect, const struct said *said)
{
	int r;

	r = check_returns(parser, aspect, said);
	if (r == 0)
		r = check_min(parser, aspect, said);
	if (r == 0)
		r = check_sample(parser, aspect, said);
	if (r == 0)
		r = check_ret(parser, aspect, said);
	if (r == 0)
		r = check_id(parser, aspect, said);
	if (r == 0)
		r = settle_name(parser, aspect, said);
	return r < 0 ? r : check_captures(parser, aspect, said);
}

/* Each option has white space before it, but for the first, which has a ")" there. */
int aspect_parse_options(struct parser *parser, struct aspect *aspect)
{
	struct said said = {};
	int r = 0;

	parser_skip_space(parser);
	while (r == 0 && parser->text[parser->at]) {
		r = parse_option(parser, aspect, &said);
		if (r == 0 && parser->text[parser->at] &&
		    !isspace((unsigned char)parser->text[parser->at]))
			r = parse_error(parser, parser->at, "white space was expected, not '%c'",
					parser->text[parser->at]);
		parser_skip_space(parser);
	}
	if (r == 0)
		r = check_together(parser, aspect, &said);
	free(said.named);
	return r;
}
