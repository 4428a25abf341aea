/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The values that an aspect reads: args=, ret= and id=. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/aspect_option.h"

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && strncmp(text, word, n) == 0;
}

int aspect_parse_number(struct parser *value, uint64_t most, uint64_t *ret_number)
{
	size_t start = value->at;
	uint64_t number = 0;

	for (; isdigit((unsigned char)value->text[value->at]); value->at++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, value->text[value->at] - '0', &number))
			number = UINT64_MAX;
	}
	*ret_number = number;
	return value->at > start && number <= most;
}

/* "[" N "]", behind the name of a type */
static int parse_bound(struct parser *value, struct aspect_value *of)
{
	uint64_t n;

	if (value->text[value->at] != '[')
		return 0;
	if (!of->max_bytes)
		return parse_error(value, value->at, "only str and string take a number of bytes");
	value->at++;
	if (!aspect_parse_number(value, PF_MAX_STRING_BYTES, &n) || n == 0)
		return parse_error(value, value->at,
				   "a number of bytes from 1 to %d was expected after '['",
				   PF_MAX_STRING_BYTES);
	if (value->text[value->at] != ']')
		return parse_error(value, value->at, "']' was expected, to close the '['");
	value->at++;
	of->max_bytes = n;
	return 0;
}

static int parse_dereferences(struct parser *value, struct aspect_value *of)
{
	for (; value->text[value->at] == '*'; value->at++) {
		if (of->n_dereferences++ == ASPECT_MAX_DEREFERENCES)
			return parse_error(value, value->at, "an address can be followed %d times",
					   ASPECT_MAX_DEREFERENCES);
	}
	return 0;
}

/* { "*" } name [ "[" N "]" ] */
static int parse_type(struct parser *value, struct aspect_value *of)
{
	size_t n;
	int r;

	r = parse_dereferences(value, of);
	if (r < 0)
		return r;
	n = parser_word(value);
	for (enum aspect_type type = ASPECT_TYPE_AUTO + 1; type < ASPECT_N_TYPES; type++) {
		if (!is_word(value->text + value->at, n, aspect_type_name(type)))
			continue;
		value->at += n;
		of->type = type;
		of->max_bytes = type == ASPECT_TYPE_STR || type == ASPECT_TYPE_STRING
					? ASPECT_STRING_BYTES
					: 0;
		return parse_bound(value, of);
	}
	return parse_error(value, value->at,
			   "a type was expected: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool char "
			   "ptr str string, or '*' and a type");
}

static int parse_position(struct parser *value, struct aspect_value *of)
{
	uint64_t n;

	if (!aspect_parse_number(value, ASPECT_MAX_POSITION, &n) || n == 0)
		return parse_error(value, value->at,
				   "a position from 1 to %d was expected after '@'",
				   ASPECT_MAX_POSITION);
	of->position = n;
	return 0;
}

/* { ":" type | "@" N }, each once, behind the name that an argument may have */
static int parse_where(struct parser *value, struct aspect_value *of)
{
	bool has_type = false;
	int r = 0;

	while (r == 0) {
		char c = value->text[value->at];

		if (!(c == ':' && !has_type) && !(c == '@' && !of->position))
			break;
		value->at++;
		parser_skip_space(value);
		has_type |= c == ':';
		r = c == ':' ? parse_type(value, of) : parse_position(value, of);
		parser_skip_space(value);
	}
	return r;
}

static int check_argument(struct parser *value, const struct aspect *aspect,
			  const struct aspect_value *argument, size_t start)
{
	if (!argument->name && !argument->position)
		return parse_error(value, start,
				   "an argument was expected, as count, path:str, @1 or "
				   "count:i32@2");
	if (aspect->n_args == PF_MAX_CAPTURES)
		return parse_error(value, start, "%d values can be captured, this is one more",
				   PF_MAX_CAPTURES);
	for (size_t i = 0; i < aspect->n_args && argument->name; i++) {
		if (aspect->args[i].name && strcmp(aspect->args[i].name, argument->name) == 0)
			return parse_error(value, start, "'%s' stands twice in 'args='",
					   argument->name);
	}
	return 0;
}

static int parse_argument(struct parser *value, struct aspect *aspect)
{
	struct aspect_value argument = {.max_bytes = ASPECT_STRING_BYTES};
	_cleanup_free_ char *name = NULL;
	size_t start, n;
	int r;

	parser_skip_space(value);
	start = value->at;
	n = isdigit((unsigned char)value->text[start]) ? 0 : parser_word(value);
	if (n) {
		argument.name = name = strndup(value->text + start, n);
		if (!name)
			return -ENOMEM;
	}
	value->at += n;
	parser_skip_space(value);
	r = parse_where(value, &argument);
	if (r == 0)
		r = check_argument(value, aspect, &argument, start);
	if (r == 0)
		r = array_grow(&aspect->args, aspect->n_args, sizeof(argument));
	if (r < 0)
		return r;
	aspect->args[aspect->n_args++] = argument;
	take_ptr(name);
	return 0;
}

/* "*" | "(" argument { "," argument } ")" */
int aspect_parse_args(struct parser *value, struct aspect *aspect)
{
	int r = 0;

	if (strcmp(value->text, "*") == 0) {
		aspect->all_args = true;
		return 0;
	}
	if (value->text[0] != '(')
		return parse_error(value, 0,
				   "'*' or '(' was expected after 'args=', as in args=(count, "
				   "path:str@1)");
	do {
		value->at++;
		r = parse_argument(value, aspect);
	} while (r == 0 && value->text[value->at] == ',');
	if (r < 0)
		return r;
	if (value->text[value->at] != ')')
		return parse_error(value, value->at, "',' or ')' was expected");
	value->at++;
	return value->text[value->at]
		       ? parse_error(value, value->at, "white space was expected, not '%c'",
				     value->text[value->at])
		       : 0;
}

int aspect_parse_ret(struct parser *value, struct aspect *aspect)
{
	int r = 0;

	aspect->has_ret = true;
	aspect->ret.max_bytes = ASPECT_STRING_BYTES;
	if (strcmp(value->text, "*") == 0)
		return 0;
	r = parse_type(value, &aspect->ret);
	if (r == 0 && value->text[value->at])
		return parse_error(value, value->at, "white space was expected, not '%c'",
				   value->text[value->at]);
	return r;
}

/* "arg" N */
static bool is_numbered(struct parser *value, unsigned int *ret_position)
{
	uint64_t n;

	value->at = strncmp(value->text, "arg", 3) == 0 ? 3 : 0;
	if (!value->at || !aspect_parse_number(value, ASPECT_MAX_POSITION, &n) || n == 0 ||
	    value->text[value->at])
		return false;
	*ret_position = n;
	return true;
}

int aspect_parse_id(struct parser *value, struct aspect *aspect)
{
	size_t n = parser_word(value);

	if (n == 0 || value->text[n] || isdigit((unsigned char)value->text[0]))
		return parse_error(value, 0,
				   "'tid', 'ret', 'arg1' or the name of an argument was expected "
				   "after 'id='");
	if (is_word(value->text, n, "tid"))
		return 0;
	if (is_word(value->text, n, "ret")) {
		aspect->id = ASPECT_ID_RETURN;
		return 0;
	}
	aspect->id = ASPECT_ID_ARGUMENT;
	if (is_numbered(value, &aspect->id_value.position))
		return 0;
	aspect->id_value.name = strdup(value->text);
	return aspect->id_value.name ? 0 : -ENOMEM;
}
