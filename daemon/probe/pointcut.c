/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A recursive descent, one function for each line of the grammar, makes a tree; a pattern is its
 * only leaf so far. Names of C++ have parentheses, colons, '&&' and '||' of their own, so the end
 * of a pattern is found by going over brackets as a whole: round ones must be closed; an angle one
 * that is not is a glob that cuts a template short ("vector<*").
 *
 * A name is kept twice: as it was written, to be printed back, and as it is compared: without white
 * space that C++ does not need, and as plain text where it has no glob, which is what most names
 * are and what compares fastest.
 */
#include "probe/pointcut.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/binary.h"

#define MAX_TEXT_BYTES 4096

struct glob {
	char *text;
	bool is_literal; /* text has no glob characters and no escapes any more */
};

struct pattern {
	char *module;  /* a glob, NULL for any */
	char *written; /* the name, trimmed */
	struct glob name;
	struct glob squeezed; /* white space squeezed out; no text where the pattern has neither "("
				 nor "<" */
	bool has_arguments;   /* it has a "(" */
};

enum node_kind { NODE_ANY_OF, NODE_PATTERN };

struct node {
	enum node_kind kind;
	struct node *children; /* NODE_ANY_OF */
	size_t n_children;
	struct pattern pattern; /* NODE_PATTERN */
};

struct pointcut {
	struct node root;
};

struct parser {
	const char *text;
	size_t at;
	struct why *why;
	size_t column; /* of the error */
};

static void node_done(struct node *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		node_done(&node->children[i]);
	free(node->children);
	free(node->pattern.module);
	free(node->pattern.written);
	free(node->pattern.name.text);
	free(node->pattern.squeezed.text);
	*node = (struct node){};
}

void pointcut_free(struct pointcut *pointcut)
{
	if (!pointcut)
		return;

	node_done(&pointcut->root);
	free(pointcut);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

#define fail(parser, where, ...)                                                                   \
	({                                                                                         \
		(parser)->column = (where);                                                        \
		why_say((parser)->why, -EINVAL, __VA_ARGS__), -EINVAL;                             \
	})

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

	if ((at > 0 && is_word(text[at - 1])) || strncmp(text + at, word, n) != 0)
		return 0;
	spaces = strspn(text + at + n, " \t");
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

/* An angle bracket that is not closed within the same term is a character like others. */
static size_t angle_end(const char *text, size_t at)
{
	size_t end = bracket_end(text, at, '<', '>');

	return end && !memmem(text + at, end - at, "||", 2) ? end : at + 1;
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
			return fail(parser, at, "'%c' was expected, to close the '%c'",
				    text[at] == '(' ? ')' : '}', text[at]);
		break;
	case '[':
		end = set_end(text, at);
		if (!end)
			return fail(parser, at, "']' was expected, to close the '['");
		break;
	case '<':
		end = angle_end(text, at);
		break;
	case '\\':
		if (!text[at + 1])
			return fail(parser, at, "a character was expected after '\\'");
		end = at + 2;
		break;
	default:
		end = at + 1;
	}
	parser->at = end;
	return 0;
}

static bool at_and_or(const struct parser *parser)
{
	return strncmp(parser->text + parser->at, "||", 2) == 0 ||
	       strncmp(parser->text + parser->at, "&&", 2) == 0;
}

static void skip_space(struct parser *parser)
{
	parser->at += strspn(parser->text + parser->at, " \t\r\n");
}

static char *copy_trimmed(const char *text, size_t start, size_t end)
{
	while (start < end && isspace((unsigned char)text[start]))
		start++;
	/* a space that is escaped belongs to the name */
	while (end > start && isspace((unsigned char)text[end - 1]) &&
	       !(end - 1 > start && text[end - 2] == '\\'))
		end--;
	return strndup(text + start, end - start);
}

/*
 * In place. White space is needed between words alone ("unsigned long"), and there one space will
 * do.
 */
static void squeeze_space(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		size_t n = strspn(from, " \t\r\n");

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

static int pattern_init(struct pattern *pattern, const char *text, size_t start, size_t colon,
			size_t end)
{
	const char *name;
	int r;

	if (colon != SIZE_MAX) {
		pattern->module = copy_trimmed(text, start, colon);
		if (!pattern->module)
			return -ENOMEM;
		start = colon + 1;
	}
	pattern->written = copy_trimmed(text, start, end);
	if (!pattern->written)
		return -ENOMEM;

	/* "::f" is the f of no namespace, and linkers know no other way to say so */
	name = strncmp(pattern->written, "::", 2) == 0 ? pattern->written + 2 : pattern->written;
	r = glob_init(&pattern->name, name, false);
	if (r == 0 && strpbrk(name, "(<"))
		r = glob_init(&pattern->squeezed, name, true);
	pattern->has_arguments = strchr(name, '(');
	return r;
}

static bool is_blank(const char *text, size_t start, size_t end)
{
	while (start < end && isspace((unsigned char)text[start]))
		start++;
	return start == end;
}

/* What stands before a name, if it cannot begin one. */
static int check_start(struct parser *parser)
{
	static const char anonymous[] = "(anonymous namespace)";
	const char *text = parser->text + parser->at;

	if (!*text)
		return fail(parser, parser->at,
			    "a function's name was expected, but the expression ends");
	if (at_and_or(parser))
		return fail(parser, parser->at, "a function's name was expected before '%.2s'",
			    text);
	if (*text == ':' && text[1] != ':')
		return fail(parser, parser->at,
			    "the name of a library or program was expected before ':'");
	if (strchr("!)&|,", *text) ||
	    (*text == '(' && strncmp(text, anonymous, strlen(anonymous)) != 0))
		return fail(parser, parser->at, "a function's name was expected, not '%c'", *text);
	return 0;
}

/* The colon that ends a module stands alone; a third one begins the name ("libx.so:::f"). */
static int parse_colons(struct parser *parser, size_t *colon)
{
	size_t n = strspn(parser->text + parser->at, ":");

	if (n != 2) {
		if (*colon != SIZE_MAX || n > 3)
			return fail(parser, parser->at, "'::' was expected, not '%.*s'", (int)n,
				    ":::::");
		*colon = parser->at;
	}
	parser->at += n;
	return 0;
}

/* pattern = [ module ":" ] name */
static int parse_pattern(struct parser *parser, struct node *ret_node)
{
	size_t start, colon = SIZE_MAX;
	struct node node = {.kind = NODE_PATTERN};
	int r;

	skip_space(parser);
	r = check_start(parser);
	start = parser->at;
	while (r == 0 && !strchr(")|&", parser->text[parser->at])) { /* or the end */
		if (parser->text[parser->at] == ':')
			r = parse_colons(parser, &colon);
		else
			r = skip_piece(parser);
	}
	if (r < 0)
		return r;
	if (colon != SIZE_MAX && is_blank(parser->text, colon + 1, parser->at))
		return fail(parser, colon + 1, "a function's name was expected after '%.*s:'",
			    (int)(colon - start), parser->text + start);

	r = pattern_init(&node.pattern, parser->text, start, colon, parser->at);
	if (r < 0) {
		node_done(&node);
		return r;
	}
	*ret_node = node;
	return 0;
}

/* pointcut = pattern { "||" pattern } */
static int parse_any_of(struct parser *parser, struct node *ret_node)
{
	struct node node = {.kind = NODE_ANY_OF}, child;
	int r;

	for (;;) {
		r = parse_pattern(parser, &child);
		if (r < 0)
			break;
		r = array_grow(&node.children, node.n_children, sizeof(child));
		if (r < 0) {
			node_done(&child);
			break;
		}
		node.children[node.n_children++] = child;
		if (strncmp(parser->text + parser->at, "||", 2) != 0)
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

static int parse(struct parser *parser, struct node *ret_node)
{
	struct node node;
	int r;

	if (strlen(parser->text) > MAX_TEXT_BYTES)
		return fail(parser, MAX_TEXT_BYTES,
			    "an expression may have %d bytes, this one has more", MAX_TEXT_BYTES);
	r = parse_any_of(parser, &node);
	if (r < 0)
		return r;
	if (parser->text[parser->at]) {
		node_done(&node);
		return fail(parser, parser->at, "'||' or the end was expected, not '%.*s'",
			    at_and_or(parser) ? 2 : 1, parser->text + parser->at);
	}
	*ret_node = node;
	return 0;
}

int pointcut_parse(const char *text, struct pointcut **ret_pointcut, size_t *ret_column,
		   struct why *why)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = NULL;
	struct parser parser = {.text = text, .why = why};
	int r;

	pointcut = calloc(1, sizeof(*pointcut));
	if (!pointcut)
		return -ENOMEM;
	r = parse(&parser, &pointcut->root);
	if (r < 0) {
		if (ret_column)
			*ret_column = parser.column;
		return r;
	}
	*ret_pointcut = take_ptr(pointcut);
	return 0;
}

static int node_print(const struct node *node, struct text *text)
{
	const struct pattern *pattern = &node->pattern;
	int r = 0;

	if (node->kind == NODE_PATTERN)
		return text_printf(text, "%s%s%s", pattern->module ? pattern->module : "",
				   pattern->module ? ":" : "", pattern->written);
	for (size_t i = 0; r == 0 && i < node->n_children; i++) {
		if (i > 0)
			r = text_append(text, " || ", 4);
		if (r == 0)
			r = node_print(&node->children[i], text);
	}
	return r;
}

int pointcut_print(const struct pointcut *pointcut, struct text *text)
{
	return node_print(&pointcut->root, text);
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

static const char *pattern_match(const struct pattern *pattern, const struct pointcut_names *names)
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

static const char *node_match(const struct node *node, const char *module_path, const char *soname,
			      const struct pointcut_names *names)
{
	const char *name = NULL;

	if (node->kind == NODE_PATTERN) {
		/* the name first: it is what differs, and it costs less */
		name = pattern_match(&node->pattern, names);
		if (name && node->pattern.module &&
		    !binary_is_named(node->pattern.module, module_path, soname))
			return NULL;
		return name;
	}
	for (size_t i = 0; !name && i < node->n_children; i++)
		name = node_match(&node->children[i], module_path, soname, names);
	return name;
}

bool pointcut_matches(const struct pointcut *pointcut, const char *module_path, const char *soname,
		      const struct pointcut_names *names, const char **ret_matched)
{
	const char *name = node_match(&pointcut->root, module_path, soname, names);

	if (name && ret_matched)
		*ret_matched = name;
	return name;
}

static bool node_wants_arguments(const struct node *node)
{
	bool wants = node->kind == NODE_PATTERN && node->pattern.has_arguments;

	for (size_t i = 0; !wants && i < node->n_children; i++)
		wants = node_wants_arguments(&node->children[i]);
	return wants;
}

bool pointcut_wants_arguments(const struct pointcut *pointcut)
{
	return node_wants_arguments(&pointcut->root);
}

static bool node_wants_module(const struct node *node, const char *path, const char *soname)
{
	bool wants = node->kind == NODE_PATTERN &&
		     (!node->pattern.module || binary_is_named(node->pattern.module, path, soname));

	for (size_t i = 0; !wants && i < node->n_children; i++)
		wants = node_wants_module(&node->children[i], path, soname);
	return wants;
}

bool pointcut_wants_module(const struct pointcut *pointcut, const char *module_path,
			   const char *soname)
{
	return node_wants_module(&pointcut->root, module_path, soname);
}

static bool node_wants_all(const struct node *node)
{
	bool wants = node->kind == NODE_PATTERN && !node->pattern.module;

	for (size_t i = 0; !wants && i < node->n_children; i++)
		wants = node_wants_all(&node->children[i]);
	return wants;
}

bool pointcut_wants_all_modules(const struct pointcut *pointcut)
{
	return node_wants_all(&pointcut->root);
}

static int add_once(struct strings *strings, const char *item)
{
	return strings_contain(strings, item) ? 0 : strings_add(strings, item);
}

static int node_modules(const struct node *node, struct strings *globs)
{
	int r = 0;

	if (node->kind == NODE_PATTERN && node->pattern.module)
		r = add_once(globs, node->pattern.module);
	for (size_t i = 0; r == 0 && i < node->n_children; i++)
		r = node_modules(&node->children[i], globs);
	return r;
}

int pointcut_modules(const struct pointcut *pointcut, struct strings *globs)
{
	return node_modules(&pointcut->root, globs);
}

static int node_name_globs(const struct node *node, struct strings *globs)
{
	int r = 0;

	if (node->kind == NODE_PATTERN)
		r = add_once(globs, node->pattern.written);
	for (size_t i = 0; r == 0 && i < node->n_children; i++)
		r = node_name_globs(&node->children[i], globs);
	return r;
}

int pointcut_name_globs(const struct pointcut *pointcut, struct strings *globs)
{
	return node_name_globs(&pointcut->root, globs);
}
