/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Names of C++ have parentheses, colons, '&&' and '||' of their own, so the end of a pattern is
 * found by going over brackets as a whole: round ones must be closed; an angle one that is not is a
 * glob that cuts a template short ("vector<*"). Where "&&" stands inside of angle brackets, it is
 * C++'s reference if what follows could follow one, else the pointcut's "and".
 *
 * A name is kept twice: as it was written, to be printed back, and as it is compared: without white
 * space that C++ does not need, and as plain text where it has no glob, which is what most names
 * are and what compares fastest.
 */
#include "probe/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

void pattern_done(struct pattern *pattern)
{
	free(pattern->module);
	free(pattern->written);
	regex_free(pattern->regex);
	free(pattern->name.text);
	free(pattern->squeezed.text);
	*pattern = (struct pattern){};
}

void parser_skip_space(struct parser *parser)
{
	parser->at += strspn(parser->text + parser->at, SPACE);
}

bool parser_at_operator(const struct parser *parser)
{
	return strncmp(parser->text + parser->at, "||", 2) == 0 ||
	       strncmp(parser->text + parser->at, "&&", 2) == 0;
}

size_t parser_word(const struct parser *parser)
{
	const char *text = parser->text + parser->at;
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n;
}

int parser_close(struct parser *parser, size_t open)
{
	parser_skip_space(parser);
	if (!parser->text[parser->at])
		return parse_error(parser, open, "')' was expected, to close the '('");
	if (parser->text[parser->at] != ')')
		return parse_error(parser, parser->at, "')' was expected, not '%c'",
				   parser->text[parser->at]);
	parser->at++;
	return 0;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The bytes of "operator" and the operator's own characters, if they stand there as a word; else 0.
 */
static size_t operator_length(const char *text, size_t at)
{
	static const char *const tokens[] = {
		"()", "[]", "->*", "->", "<<=", "<=>", "<<", "<=", "<", ">>=",
		">>", ">=", ">",   "&&", "&=",	"||",  "|=", "!=", "!", "==",
		"=",  "++", "+=",  "--", "-=",	",",   "&",  "|",
	};
	static const char word[] = "operator";
	size_t n = strlen(word), spaces;

	if (text[at] != 'o' || (at > 0 && is_word(text[at - 1])) ||
	    strncmp(text + at, word, n) != 0)
		return 0;
	spaces = strspn(text + at + n, SPACE);
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		if (strncmp(text + at + n + spaces, tokens[i], strlen(tokens[i])) == 0)
			return n + spaces + strlen(tokens[i]);
	}
	return 0;
}

/* Where the set that begins at '[' ends, behind its ']'; 0 if it does not. */
static size_t set_end(const char *text, size_t at)
{
	size_t i = at + 1;

	i += text[i] == '!' || text[i] == '^';
	for (i += text[i] == ']'; text[i] != ']'; i++) {
		if (text[i] == '\\' && text[i + 1])
			i++;
		if (!text[i])
			return 0;
	}
	return i + 1;
}

/*
 * Where the bracket that begins there ends, behind its closing one, whatever else it holds; 0 if it
 * does not.
 */
static size_t bracket_end(const char *text, size_t at, char open, char close)
{
	size_t depth = 0, n;

	for (size_t i = at; text[i]; i++) {
		n = operator_length(text, i);
		if (n) {
			i += n - 1;
		} else if (text[i] == '\\' && text[i + 1]) {
			i++;
		} else if (text[i] == '-' && text[i + 1] == '>') {
			i++;
		} else if (text[i] == open) {
			depth++;
		} else if (text[i] == close && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

/*
 * In place. White space is needed between words alone ("unsigned long"), and there one space will
 * do.
 */
static void squeeze_space(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		size_t n = isspace((unsigned char)*from) ? strspn(from, SPACE) : 0;

		if (n == 0) {
			if (*from == '\\' && from[1])
				*to++ = *from++;
			*to++ = *from++;
			continue;
		}
		from += n;
		if (to > text && is_word(to[-1]) && is_word(*from))
			*to++ = ' ';
	}
	*to = '\0';
}

/* The characters of an operator are no glob. */
static int append_operator(struct text *text, const char *token, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (token[i] == '[' || token[i] == ']')
			r = text_append(text, "\\", 1);
		if (r == 0)
			r = text_append(text, token + i, 1);
	}
	return r;
}

static int append_glob(struct text *text, const char *written)
{
	size_t n;
	int r = 0;

	for (size_t i = 0; r == 0 && written[i]; i += n) {
		n = operator_length(written, i);
		if (n) {
			r = append_operator(text, written + i, n);
		} else {
			n = written[i] == '\\' && written[i + 1] ? 2 : 1;
			r = text_append(text, written + i, n);
		}
	}
	return r;
}

static bool has_glob(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (strchr("*?[", *text))
			return true;
	}
	return false;
}

static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
}

static int glob_init(struct glob *glob, const char *written, bool squeezed)
{
	struct text text = {};
	int r;

	r = append_glob(&text, written);
	if (r < 0) {
		text_done(&text);
		return r;
	}
	glob->text = text.data;
	if (squeezed)
		squeeze_space(glob->text);
	glob->is_literal = !has_glob(glob->text);
	if (glob->is_literal)
		unescape(glob->text);
	return 0;
}

static bool glob_matches(const struct glob *glob, const char *text)
{
	return glob->is_literal ? strcmp(glob->text, text) == 0 : text_glob(glob->text, text);
}

/* "&&" that begins at text is C++'s: in "f<int&&, int&&>" it follows a type and ends it. */
static bool is_reference(const char *text)
{
	text += 2;
	text += strspn(text, SPACE);
	return *text && strchr(",>).*", *text);
}

/*
 * Where the angle bracket that begins there ends, behind its closing one. One that is not closed
 * within the same term is a character like others.
 */
static size_t angle_end(const char *text, size_t at)
{
	size_t angles = 0, rounds = 0, n;

	for (size_t i = at; text[i]; i++) {
		n = operator_length(text, i);
		if (n)
			i += n - 1;
		else if ((text[i] == '\\' && text[i + 1]) || (text[i] == '-' && text[i + 1] == '>'))
			i++;
		else if (strncmp(text + i, "||", 2) == 0)
			break;
		else if (strncmp(text + i, "&&", 2) == 0 && !is_reference(text + i++))
			break;
		else if (text[i] == '(')
			rounds++;
		else if (text[i] == ')' && rounds-- == 0)
			break;
		else if (text[i] == '<')
			angles++;
		else if (text[i] == '>' && --angles == 0)
			return i + 1;
	}
	return at + 1;
}

/* Goes over one piece of a name: a bracket with all in it, an operator, an escape, a character. */
static int skip_piece(struct parser *parser)
{
	const char *text = parser->text;
	size_t at = parser->at, end = operator_length(text, at);

	if (end) {
		parser->at += end;
		return 0;
	}
	switch (text[at]) {
	case '(':
	case '{':
		end = bracket_end(text, at, text[at], text[at] == '(' ? ')' : '}');
		if (!end)
			return parse_error(parser, at, "'%c' was expected, to close the '%c'",
					   text[at] == '(' ? ')' : '}', text[at]);
		break;
	case '[':
		end = set_end(text, at);
		if (!end)
			return parse_error(parser, at, "']' was expected, to close the '['");
		break;
	case '<':
		end = angle_end(text, at);
		break;
	case '\\':
		if (!text[at + 1])
			return parse_error(parser, at, "a character was expected after '\\'");
		end = at + 2;
		break;
	default:
		end = at + 1;
	}
	parser->at = end;
	return 0;
}

/* Whether the character there is escaped: an odd number of '\\' stands before it. */
static bool is_escaped(const char *text, size_t start, size_t at)
{
	size_t n = 0;

	while (at - n > start && text[at - n - 1] == '\\')
		n++;
	return n % 2;
}

static char *copy_trimmed(const char *text, size_t start, size_t end)
{
	while (start < end && isspace((unsigned char)text[start]))
		start++;
	/* a space that is escaped belongs to the name */
	while (end > start && isspace((unsigned char)text[end - 1]) &&
	       !is_escaped(text, start, end - 1))
		end--;
	return strndup(text + start, end - start);
}

static bool is_blank(const char *text, size_t start, size_t end)
{
	while (start < end && isspace((unsigned char)text[start]))
		start++;
	return start == end;
}

static bool ends_term(const char *text)
{
	text += strspn(text, SPACE);
	return !*text || *text == ')' || strncmp(text, "||", 2) == 0 || strncmp(text, "&&", 2) == 0;
}

/*
 * Where the regular expression that begins with the '/' there ends, behind its last '/' and an "i";
 * 0 if it is none: a path ("/usr/lib/libm.so:sin") has more behind its second slash.
 */
static size_t regex_end(const char *text, size_t at)
{
	size_t i = at + 1, end;

	while (text[i] && text[i] != '/') {
		if (text[i] == '\\' && text[i + 1])
			i += 2;
		else
			i = text[i] == '[' && set_end(text, i) ? set_end(text, i) : i + 1;
	}
	if (text[i] != '/' || i == at + 1)
		return 0;
	end = i + 1 + (text[i + 1] == 'i');
	return ends_term(text + end) ? end : 0;
}

static int take_regex(struct parser *parser, struct pattern *pattern)
{
	size_t start = parser->at, at, end = regex_end(parser->text, start);
	int r;

	if (!end)
		return parse_error(parser, start,
				   "a second '/' was expected, to end the regular expression, and "
				   "'\\/' for each inside of it");
	pattern->written = strndup(parser->text + start, end - start);
	if (!pattern->written)
		return -ENOMEM;
	r = regex_new(pattern->written, &pattern->regex, &at, parser->why);
	if (r == -EINVAL)
		parser->column = start + at;
	pattern->has_arguments = strstr(pattern->written, "\\(");
	pattern->means_linker_name = strncmp(pattern->written, "/^_", 3) == 0;
	parser->at = end;
	return r;
}

static int take_name(struct parser *parser, struct pattern *pattern, size_t start)
{
	const char *name;
	int r;

	pattern->written = copy_trimmed(parser->text, start, parser->at);
	if (!pattern->written)
		return -ENOMEM;
	if (pattern->written[0] == '/')
		return parse_error(parser, start,
				   "a second '/' was expected, to end the regular expression, and "
				   "'\\/' for each inside of it");

	/* "::f" is the f of no namespace, and linkers know no other way to say so */
	name = strncmp(pattern->written, "::", 2) == 0 ? pattern->written + 2 : pattern->written;
	if (!name[0])
		return parse_error(parser, parser->at, "a function's name was expected after '::'");
	r = glob_init(&pattern->name, name, false);
	if (r == 0 && strpbrk(name, "(<"))
		r = glob_init(&pattern->squeezed, name, true);
	pattern->has_arguments = strchr(name, '(');
	return r;
}

/* What stands before a name, if it cannot begin one. */
static int check_start(struct parser *parser)
{
	static const char anonymous[] = "(anonymous namespace)";
	const char *text = parser->text + parser->at;

	if (!*text)
		return parse_error(parser, parser->at,
				   "a function's name was expected, but the expression ends");
	if (parser_at_operator(parser))
		return parse_error(parser, parser->at,
				   "a function's name was expected before '%.2s'", text);
	if (*text == ':' && (text[1] != ':' || text[2] == ':'))
		return parse_error(parser, parser->at,
				   "the name of a library or program was expected before ':'");
	if (strchr("!)&|,", *text) ||
	    (*text == '(' && strncmp(text, anonymous, strlen(anonymous)) != 0))
		return parse_error(parser, parser->at, "a function's name was expected, not '%c'",
				   *text);
	return 0;
}

/* The colon that ends a module stands alone; a third one begins the name ("libx.so:::f"). */
static int skip_colons(struct parser *parser, size_t *colon)
{
	size_t n = strspn(parser->text + parser->at, ":");

	if (n != 2) {
		if (*colon != SIZE_MAX || n > 3)
			return parse_error(parser, parser->at, "'::' was expected, not '%.*s'",
					   (int)n, ":::::");
		*colon = parser->at;
		n = n == 3 ? 1 : n;
	}
	parser->at += n;
	return 0;
}

static int skip_name_piece(struct parser *parser, size_t *colon)
{
	char c = parser->text[parser->at];

	if (c == ':')
		return skip_colons(parser, colon);
	if (c == '=' && !operator_length(parser->text, parser->at))
		return parse_error(parser, parser->at,
				   "no function's name has a '=' here; options stand behind a "
				   "pointcut in parentheses");
	return skip_piece(parser);
}

static int take_module(struct parser *parser, struct pattern *pattern, size_t start, size_t colon)
{
	pattern->module = copy_trimmed(parser->text, start, colon);
	if (!pattern->module)
		return -ENOMEM;
	if (pattern->module[strlen(pattern->module) - 1] == ':')
		return parse_error(parser, colon, "a function's name was expected, not ':'");
	return 0;
}

/* What is behind the module, or all of it; goes on to the end. */
static int parse_name(struct parser *parser, struct pattern *pattern)
{
	size_t start = parser->at, colon = SIZE_MAX;
	int r = 0;

	while (r == 0 && colon == SIZE_MAX &&
	       !strchr(")|&", parser->text[parser->at])) /* or the end */
		r = skip_name_piece(parser, &colon);
	if (r < 0)
		return r;
	if (colon == SIZE_MAX)
		return take_name(parser, pattern, start);
	r = take_module(parser, pattern, start, colon);
	if (r < 0)
		return r;

	start = parser->at;
	if (parser->text[start + strspn(parser->text + start, SPACE)] == '/') {
		parser_skip_space(parser);
		return take_regex(parser, pattern);
	}
	while (r == 0 && !strchr(")|&", parser->text[parser->at]))
		r = skip_name_piece(parser, &colon);
	if (r == 0 && is_blank(parser->text, start, parser->at))
		return parse_error(parser, start, "a function's name was expected after '%s:'",
				   pattern->module);
	return r < 0 ? r : take_name(parser, pattern, start);
}

int pattern_parse(struct parser *parser, struct pattern *ret_pattern)
{
	struct pattern pattern = {};
	int r;

	parser_skip_space(parser);
	r = check_start(parser);
	if (r == 0) {
		if (parser->text[parser->at] == '/' && regex_end(parser->text, parser->at))
			r = take_regex(parser, &pattern);
		else
			r = parse_name(parser, &pattern);
	}
	if (r < 0) {
		pattern_done(&pattern);
		return r;
	}
	*ret_pattern = pattern;
	return 0;
}

int pattern_parse_argument(struct parser *parser, const char *expected, size_t *ret_start,
			   char **ret_argument)
{
	size_t open = parser->at++;
	int r = 0;

	parser_skip_space(parser);
	*ret_start = parser->at;
	if (parser->text[parser->at] == '/' && regex_end(parser->text, parser->at))
		parser->at = regex_end(parser->text, parser->at);
	while (r == 0 && parser->text[parser->at] != ')') {
		if (!parser->text[parser->at])
			return parse_error(parser, open, "')' was expected, to close the '('");
		r = skip_piece(parser);
	}
	if (r < 0)
		return r;
	if (is_blank(parser->text, *ret_start, parser->at))
		return parse_error(parser, *ret_start, "%s was expected", expected);
	*ret_argument = copy_trimmed(parser->text, *ret_start, parser->at);
	parser->at++;
	return *ret_argument ? 0 : -ENOMEM;
}

/*
 * Whether a name would read on beyond its end if something followed: where a bracket or an operator
 * is not finished. A parenthesis around it ends it.
 */
static bool reads_on(const char *name)
{
	static const char word[] = "operator";
	struct parser parser = {.text = name};
	size_t size = strlen(name), end;

	if (size >= strlen(word) && strcmp(name + size - strlen(word), word) == 0)
		return true;
	while (name[parser.at]) {
		end = parser.at + 1;
		if (name[parser.at] == '<' && !operator_length(name, parser.at) &&
		    angle_end(name, parser.at) == end)
			return true;
		if (skip_piece(&parser) < 0)
			return true;
	}
	return false;
}

int pattern_print(const struct pattern *pattern, bool is_execution, struct text *text)
{
	const char *open = "", *close = "";

	if (is_execution) {
		open = "execution(";
		close = ")";
	} else if (!pattern->regex && reads_on(pattern->written)) {
		open = "(";
		close = ")";
	}
	return text_printf(text, "%s%s%s%s%s", open, pattern->module ? pattern->module : "",
			   pattern->module ? ":" : "", pattern->written, close);
}

static bool matches_squeezed(const struct pattern *pattern, const char *name)
{
	_cleanup_free_ char *squeezed = NULL;

	squeezed = strdup(name);
	if (!squeezed)
		return false;
	squeeze_space(squeezed);
	return glob_matches(&pattern->squeezed, squeezed);
}

static const char *match_globs(const struct pattern *pattern, const struct pointcut_names *names)
{
	if (pattern->has_arguments && names->with_arguments &&
	    matches_squeezed(pattern, names->with_arguments))
		return names->with_arguments;
	/*
	 * also where the pattern has a "(": that may be of "operator()" or of a function around
	 * this one
	 */
	if (names->plain && glob_matches(&pattern->name, names->plain))
		return names->plain;
	if (names->plain && pattern->squeezed.text && matches_squeezed(pattern, names->plain))
		return names->plain;
	if (glob_matches(&pattern->name, names->linker_name))
		return names->linker_name;
	return NULL;
}

/* Returns 1 and sets *ret_matched if it is the name that is meant. */
static int try_name(const struct pattern *pattern, const char *name, const char **ret_matched,
		    struct why *why)
{
	int r = name ? regex_match(pattern->regex, name, why) : 0;

	if (r == 1)
		*ret_matched = name;
	return r;
}

/* Mangled names are full of letters that stand for something else: an expression has to ask for
 * them. */
static int match_regex(const struct pattern *pattern, const struct pointcut_names *names,
		       const char **ret_matched, struct why *why)
{
	int r = 0;

	if (pattern->has_arguments)
		r = try_name(pattern, names->with_arguments, ret_matched, why);
	if (r == 0)
		r = try_name(pattern, names->plain, ret_matched, why);
	if (r == 0 && (!names->plain || pattern->means_linker_name))
		r = try_name(pattern, names->linker_name, ret_matched, why);
	return r;
}

int pattern_match(const struct pattern *pattern, const struct pointcut_names *names,
		  const char **ret_matched, struct why *why)
{
	const char *name;

	if (pattern->regex)
		return match_regex(pattern, names, ret_matched, why);
	name = match_globs(pattern, names);
	if (name)
		*ret_matched = name;
	return name ? 1 : 0;
}

/* The last "::" outside of all brackets, before `end`. */
static size_t last_colons(const char *name, size_t end)
{
	size_t depth = 0, found = 0, n;

	for (size_t i = 0; i < end; i++) {
		switch (name[i]) {
		case 'o':
			n = operator_length(name, i);
			i += n ? n - 1 : 0;
			break;
		case '(':
		case '<':
		case '{':
		case '[':
			depth++;
			break;
		case ')':
		case '>':
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ':':
			if (depth == 0 && i + 1 < end && name[i + 1] == ':')
				found = i++;
			break;
		}
	}
	return found;
}

size_t name_next_scope(const char *name, size_t last)
{
	return last_colons(name, last ? last : strlen(name));
}
