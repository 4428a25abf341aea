/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A recursive descent, one function for each line of the grammar, makes a tree. Parentheses leave a
 * node of their own kind of children only where they change the tree, so that printing needs few of
 * them.
 *
 * Evaluation knows three values. "Perhaps" is what a term says of something that is not known
 * (yet): the program of the process, or, where only a module is given, all that depends on its
 * functions. So one evaluator answers both "is this function meant?" and "can anything in this
 * binary be meant?"; what is perhaps selected, is selected, and whoever knows more asks again.
 * Source files cost most, so children that ask for them come last.
 */
#include "probe/pointcut.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "binary/binary.h"

#define MAX_TEXT_BYTES 4096
#define MAX_DEPTH      64

enum node_kind {
	NODE_ANY_OF,
	NODE_ALL_OF,
	NODE_NOT,
	NODE_PATTERN,
	NODE_WITHIN,
	NODE_EXE,
	NODE_SIZE,
	NODE_USDT,
	NODE_ANNOTATED,
};

enum place { PLACE_MODULE = 1, PLACE_FILE = 2, PLACE_CLASS = 4 };

struct node {
	enum node_kind kind;
	bool asks_source;      /* it or something below it */
	struct node *children; /* NODE_ANY_OF, NODE_ALL_OF, NODE_NOT */
	size_t n_children;
	struct pattern pattern; /* NODE_PATTERN */
	bool is_execution;	/* NODE_PATTERN: written as execution(...) */
	char *text;		/* a glob: NODE_WITHIN; NODE_EXE; NODE_USDT: the provider */
	char *name;		/* NODE_USDT: a glob */
	unsigned int places;	/* NODE_WITHIN: of enum place */
	bool is_explicit;	/* NODE_WITHIN: the place was named */
	struct regex *regex;	/* NODE_WITHIN: instead of the glob, or NULL */
	uint64_t least, most;	/* NODE_SIZE */
};

struct pointcut {
	struct node root;
};

static void node_done(struct node *node)
{
	for (size_t i = 0; i < node->n_children; i++)
		node_done(&node->children[i]);
	free(node->children);
	pattern_done(&node->pattern);
	free(node->text);
	free(node->name);
	regex_free(node->regex);
	*node = (struct node){};
}

void pointcut_free(struct pointcut *pointcut)
{
	if (!pointcut)
		return;

	node_done(&pointcut->root);
	free(pointcut);
}

static int parse_any_of(struct parser *parser, struct node *ret_node);
static int parse_factor(struct parser *parser, struct node *ret_node);

static const struct {
	enum place place;
	const char *prefix;
} places[] = {
	{PLACE_MODULE, "module:"},
	{PLACE_FILE, "file:"},
	{PLACE_CLASS, "class:"},
};

static bool is_source_name(const char *text)
{
	static const char *const endings[] = {
		"c",   "C",   "cc",  "cpp", "cxx", "c++", "h",	 "H",	"hh",  "hpp", "hxx",
		"inl", "ipp", "tcc", "cu",  "cuh", "f",	  "F",	 "for", "f77", "f90", "F90",
		"f95", "F95", "f03", "F03", "f08", "F08", "rs",	 "d",	"go",  "s",   "S",
		"asm", "y",   "l",   "m",   "mm",  "adb", "ads", "pas", "zig", "pyx",
	};
	const char *dot = strrchr(text, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(endings); i++) {
		if (strcmp(dot + 1, endings[i]) == 0)
			return true;
	}
	return false;
}

/* What is meant where nobody says so. */
static unsigned int guess_places(const char *text)
{
	if (strstr(text, "::") || strpbrk(text, "<("))
		return PLACE_CLASS;
	if (is_source_name(text))
		return PLACE_FILE;
	if (strstr(text, ".so"))
		return PLACE_MODULE;
	if (strpbrk(text, "/."))
		return PLACE_MODULE | PLACE_FILE;
	return PLACE_MODULE | PLACE_CLASS;
}

/* Cuts "file:" and the like off the text. */
static void take_place(struct node *node)
{
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		n = strlen(places[i].prefix);
		if (strncmp(node->text, places[i].prefix, n) != 0 || node->text[n] == ':')
			continue;
		node->places = places[i].place;
		node->is_explicit = true;
		n += strspn(node->text + n, SPACE);
		memmove(node->text, node->text + n, strlen(node->text + n) + 1);
		return;
	}
	node->places = guess_places(node->text);
}

/* "within(" what ")" */
static int parse_within(struct parser *parser, struct node *node)
{
	static const char expected[] = "a binary, a source file, a class or a namespace";
	size_t start, at, written;
	int r;

	node->kind = NODE_WITHIN;
	r = pattern_parse_argument(parser, expected, &start, &node->text);
	if (r < 0)
		return r;
	written = strlen(node->text);
	take_place(node);
	start += written - strlen(node->text);
	node->asks_source = node->places & PLACE_FILE;
	if (!node->text[0] || node->text[0] == ':')
		return parse_error(parser, start, "%s was expected", expected);
	if (!regex_is_meant(node->text))
		return 0;
	if (!node->is_explicit)
		return parse_error(parser, start,
				   "'module:', 'file:' or 'class:' was expected, to say what the "
				   "regular expression is for");
	r = regex_new(node->text, &node->regex, &at, parser->why);
	if (r == -EINVAL)
		parser->column = start + at;
	return r;
}

/* "exe(" glob ")" */
static int parse_exe(struct parser *parser, struct node *node)
{
	size_t start;

	node->kind = NODE_EXE;
	return pattern_parse_argument(parser, "the name or path of a program", &start, &node->text);
}

/* "usdt(" provider ":" name ")" */
static int parse_usdt(struct parser *parser, struct node *node)
{
	size_t start, end;
	char *colon;
	int r;

	node->kind = NODE_USDT;
	r = pattern_parse_argument(parser, "a static probe, as provider:name,", &start,
				   &node->text);
	if (r < 0)
		return r;
	colon = strchr(node->text, ':');
	if (!colon)
		return parse_error(parser, start + strlen(node->text),
				   "':' and a probe's name were expected after the provider");
	for (end = colon - node->text; end > 0 && isspace((unsigned char)node->text[end - 1]);)
		end--;
	if (end == 0)
		return parse_error(parser, start,
				   "the provider of a static probe was expected before ':'");
	colon += 1 + strspn(colon + 1, SPACE);
	if (!*colon)
		return parse_error(parser, start + (colon - node->text),
				   "a probe's name was expected after ':'");
	node->name = strdup(colon);
	node->text[end] = '\0';
	return node->name ? 0 : -ENOMEM;
}

static int parse_number(struct parser *parser, uint64_t *ret_number)
{
	size_t start = parser->at;
	uint64_t number = 0;

	for (; isdigit((unsigned char)parser->text[parser->at]); parser->at++) {
		if (number > (UINT64_MAX - 9) / 10)
			return parse_error(parser, start,
					   "a number of bytes was expected, this one is too large");
		number = number * 10 + (parser->text[parser->at] - '0');
	}
	*ret_number = number;
	return parser->at > start;
}

/* N ".." M, of which one may be missing, or N alone */
static int parse_range(struct parser *parser, struct node *node)
{
	size_t start = parser->at;
	int first, second;

	node->most = UINT64_MAX;
	first = parse_number(parser, &node->least);
	if (first < 0)
		return first;
	parser_skip_space(parser);
	if (strncmp(parser->text + parser->at, "..", 2) != 0) {
		node->most = node->least;
		return first ? 0
			     : parse_error(parser, parser->at,
					   "a number of bytes was expected, as in size(100..2000)");
	}
	parser->at += 2;
	parser_skip_space(parser);
	second = parse_number(parser, &node->most);
	if (second < 0)
		return second;
	if (!second)
		node->most = UINT64_MAX;
	if (!first && !second)
		return parse_error(parser, start,
				   "a number of bytes was expected, as in size(100..2000)");
	if (node->least > node->most)
		return parse_error(parser, start,
				   "the first number of a range is not the larger one");
	return 0;
}

static int parse_close(struct parser *parser, size_t open)
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

/* "size(" N ".." M ")" */
static int parse_size(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;
	int r;

	node->kind = NODE_SIZE;
	parser_skip_space(parser);
	r = parse_range(parser, node);
	return r < 0 ? r : parse_close(parser, open);
}

/* "annotated()" */
static int parse_annotated(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;

	node->kind = NODE_ANNOTATED;
	return parse_close(parser, open);
}

/* "execution(" pattern ")" */
static int parse_execution(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;
	int r;

	node->kind = NODE_PATTERN;
	node->is_execution = true;
	r = pattern_parse(parser, &node->pattern);
	return r < 0 ? r : parse_close(parser, open);
}

static int refuse_term(struct parser *parser, struct node *node)
{
	size_t start = parser->at;

	(void)node;
	while (start > 0 && isalpha((unsigned char)parser->text[start - 1]))
		start--;
	return parse_error(parser, start,
			   "execution(), within(), exe(), size(), usdt() and annotated() are the "
			   "terms of this version; a function "
			   "of the name '%.*s' is asked for with execution(%.*s(*))",
			   (int)(parser->at - start), parser->text + start,
			   (int)(parser->at - start), parser->text + start);
}

static const struct {
	const char *word;
	int (*parse)(struct parser *parser, struct node *node); /* from the "(" on */
} designators[] = {
	{"execution", parse_execution},
	{"within", parse_within},
	{"exe", parse_exe},
	{"size", parse_size},
	{"usdt", parse_usdt},
	{"annotated", parse_annotated},
	/* they will select processes and callers */
	{"cflow", refuse_term},
	{"comm", refuse_term},
	{"uid", refuse_term},
	{"cgroup", refuse_term},
	{"job", refuse_term},
	{"rank", refuse_term},
};

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
	return parse_close(parser, open);
}

static int parse_leaf(struct parser *parser, struct node *node)
{
	const char *text = parser->text + parser->at;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(designators); i++) {
		n = strlen(designators[i].word);
		if (strncmp(text, designators[i].word, n) == 0 && text[n] == '(') {
			parser->at += n;
			return designators[i].parse(parser, node);
		}
	}
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
				      "an expression may be nested %d deep, this one is deeper", MAX_DEPTH)
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
	struct node node = {.kind = kind}, child = {};
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

static int print_size(const struct node *node, struct text *text)
{
	if (node->least == node->most)
		return text_printf(text, "size(%" PRIu64 ")", node->least);
	if (node->most == UINT64_MAX)
		return text_printf(text, "size(%" PRIu64 "..)", node->least);
	return text_printf(text, "size(%" PRIu64 "..%" PRIu64 ")", node->least, node->most);
}

static int print_within(const struct node *node, struct text *text)
{
	const char *prefix = "";

	for (size_t i = 0; node->is_explicit && i < ARRAY_SIZE(places); i++) {
		if (places[i].place == node->places)
			prefix = places[i].prefix;
	}
	return text_printf(text, "within(%s%s)", prefix, node->text);
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
	case NODE_EXE:
		return text_printf(text, "exe(%s)", node->text);
	case NODE_SIZE:
		return print_size(node, text);
	case NODE_USDT:
		return text_printf(text, "usdt(%s:%s)", node->text, node->name);
	case NODE_ANNOTATED:
		return text_printf(text, "annotated()");
	}
	return -EINVAL;
}

int pointcut_print(const struct pointcut *pointcut, struct text *text)
{
	return node_print(&pointcut->root, text);
}

/* In this order: "and" is the least, "or" the greatest of its children. */
enum truth { NO, PERHAPS, YES };

enum knowledge { KNOWS_MODULE = 1, KNOWS_FUNCTION = 2, KNOWS_PROGRAM = 4, KNOWS_KIND = 8 };

struct question {
	const struct pointcut_subject *subject;
	unsigned int knows;  /* of enum knowledge: which parts of the subject count */
	const char *matched; /* the name that a pattern meant */
	bool is_called;	     /* a usdt() holds */
	int error;
	struct why *why;
};

static enum truth ask(const struct node *node, struct question *question);

static enum truth truth_of(struct question *question, int r)
{
	if (r < 0)
		question->error = r;
	return r > 0 ? YES : NO;
}

static enum truth least(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static enum truth greatest(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

static enum truth ask_module(const char *glob, const struct question *question)
{
	const struct pointcut_subject *subject = question->subject;

	if (!(question->knows & KNOWS_MODULE))
		return PERHAPS;
	return subject->module_path && binary_is_named(glob, subject->module_path, subject->soname)
		       ? YES
		       : NO;
}

static enum truth ask_names(const struct pattern *pattern, struct question *question)
{
	const struct pointcut_subject *subject = question->subject;
	const char *matched;
	int r = 0;

	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	for (size_t i = 0; r == 0 && i < subject->n_names; i++)
		r = pattern_match(pattern, &subject->names[i], &matched, question->why);
	if (r > 0 && !question->matched)
		question->matched = matched;
	return truth_of(question, r);
}

static enum truth ask_pattern(const struct pattern *pattern, struct question *question)
{
	const char *before = question->matched;
	enum truth truth = YES;

	/* the name comes last: it costs more, and is told where it matches */
	if (pattern->module)
		truth = ask_module(pattern->module, question);
	if (truth != NO)
		truth = least(truth, ask_names(pattern, question));
	if (truth == NO)
		question->matched = before;
	return truth;
}

/* A scope is named with the arguments of its template or without: "std::vector" means all vectors.
 */
static bool is_scope(const char *glob, const char *scope)
{
	_cleanup_free_ char *template = NULL;
	size_t size = strlen(scope), depth = 0;

	if (text_glob(glob, scope))
		return true;
	if (size == 0 || scope[size - 1] != '>')
		return false;
	for (size_t i = size; i-- > 0;) {
		depth += scope[i] == '>';
		depth -= scope[i] == '<';
		if (depth == 0) {
			template = strndup(scope, i);
			return template && i > 0 && text_glob(glob, template);
		}
	}
	return false;
}

static int match_scope(const struct node *node, const char *name, struct why *why)
{
	_cleanup_free_ char *scope = strdup(name);
	int r = 0;

	if (!scope)
		return -ENOMEM;
	for (size_t n = name_next_scope(name, 0); r == 0 && n > 0; n = name_next_scope(name, n)) {
		scope[n] = '\0';
		r = node->regex ? regex_match(node->regex, scope, why)
				: is_scope(node->text, scope);
	}
	return r;
}

static enum truth ask_scopes(const struct node *node, struct question *question)
{
	const struct pointcut_subject *subject = question->subject;
	int r = 0;

	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	for (size_t i = 0; r == 0 && i < subject->n_names; i++) {
		if (subject->names[i].plain)
			r = match_scope(node, subject->names[i].plain, question->why);
	}
	return truth_of(question, r);
}

/* A glob with a '/' means a path or the end of one, else the file's name. */
static bool is_file(const char *glob, const char *path)
{
	if (!strchr(glob, '/'))
		return text_glob(glob, text_file_name(path));
	for (const char *at = path; at; at = strchr(at + 1, '/')) {
		if (text_glob(glob, at) || (*at == '/' && text_glob(glob, at + 1)))
			return true;
	}
	return false;
}

static enum truth ask_source(const struct node *node, struct question *question)
{
	const struct pointcut_subject *subject = question->subject;
	const char *path;
	int r;

	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	if (!subject->find_source)
		return NO;
	r = subject->find_source(subject->opaque, &path);
	if (r == 0)
		r = node->regex ? regex_match(node->regex, path, question->why)
				: is_file(node->text, path);
	return truth_of(question, r == -ENOENT ? 0 : r);
}

static enum truth ask_module_of(const struct node *node, struct question *question)
{
	if (!node->regex)
		return ask_module(node->text, question);
	if (!(question->knows & KNOWS_MODULE))
		return PERHAPS;
	if (!question->subject->module_path)
		return NO;
	return truth_of(question,
			regex_match(node->regex, question->subject->module_path, question->why));
}

static enum truth ask_within(const struct node *node, struct question *question)
{
	enum truth truth = NO;

	if (node->places & PLACE_MODULE)
		truth = ask_module_of(node, question);
	if (truth != YES && node->places & PLACE_CLASS)
		truth = greatest(truth, ask_scopes(node, question));
	if (truth != YES && node->places & PLACE_FILE)
		truth = greatest(truth, ask_source(node, question));
	return truth;
}

static enum truth ask_exe(const struct node *node, const struct question *question)
{
	const char *program = question->subject->program;

	if (!(question->knows & KNOWS_PROGRAM) || !program)
		return PERHAPS;
	return binary_is_named(node->text, program, NULL) ? YES : NO;
}

static enum truth ask_size(const struct node *node, const struct question *question)
{
	uint64_t size = question->subject->size;

	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	return size > 0 && node->least <= size && size <= node->most ? YES : NO;
}

static enum truth ask_usdt(const struct node *node, struct question *question)
{
	const struct pointcut_subject *subject = question->subject;

	if (!(question->knows & KNOWS_KIND))
		return PERHAPS;
	if (!subject->provider || !text_glob(node->text, subject->provider) ||
	    !text_glob(node->name, subject->probe))
		return NO;
	question->is_called = true;
	return YES;
}

static enum truth ask_annotated(const struct question *question)
{
	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	return question->subject->is_annotated ? YES : NO;
}

/* What is told of a part that does not hold, does not count. */
static enum truth ask_list(const struct node *node, struct question *question)
{
	struct question before = *question;
	bool all = node->kind == NODE_ALL_OF;
	enum truth truth = all ? YES : NO, decided = all ? NO : YES;

	for (int pass = 0; pass < 2 && truth != decided; pass++) {
		for (size_t i = 0; i < node->n_children && truth != decided; i++) {
			if (node->children[i].asks_source != pass)
				continue;
			truth = all ? least(truth, ask(&node->children[i], question))
				    : greatest(truth, ask(&node->children[i], question));
		}
	}
	if (truth == NO) {
		question->matched = before.matched;
		question->is_called = before.is_called;
	}
	return truth;
}

static enum truth ask_not(const struct node *node, struct question *question)
{
	struct question inner = *question;
	enum truth truth = ask(node->children, &inner);

	question->error = inner.error;
	return YES - truth;
}

static enum truth ask(const struct node *node, struct question *question)
{
	if (question->error < 0)
		return NO;
	switch (node->kind) {
	case NODE_ANY_OF:
	case NODE_ALL_OF:
		return ask_list(node, question);
	case NODE_NOT:
		return ask_not(node, question);
	case NODE_PATTERN:
		return ask_pattern(&node->pattern, question);
	case NODE_WITHIN:
		return ask_within(node, question);
	case NODE_EXE:
		return ask_exe(node, question);
	case NODE_SIZE:
		return ask_size(node, question);
	case NODE_USDT:
		return ask_usdt(node, question);
	case NODE_ANNOTATED:
		return ask_annotated(question);
	}
	return NO;
}

int pointcut_matches(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		     const char **ret_matched, struct why *why)
{
	struct question question = {
		.subject = subject,
		.knows = KNOWS_MODULE | KNOWS_FUNCTION | KNOWS_PROGRAM | KNOWS_KIND,
		.why = why,
	};
	enum truth truth = ask(&pointcut->root, &question);

	if (question.error < 0)
		return question.error;
	/* "everything but" means functions: a static probe has to be called by its name */
	if (truth == NO || (subject->provider && !question.is_called))
		return 0;
	if (question.matched && ret_matched)
		*ret_matched = question.matched;
	return 1;
}

/* Whether it may hold, by what is known of the subject. An expression that cannot be decided may.
 */
static bool may_hold(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		     unsigned int knows)
{
	struct question question = {.subject = subject, .knows = knows};

	return ask(&pointcut->root, &question) != NO || question.error < 0;
}

bool pointcut_wants_module(const struct pointcut *pointcut, const char *module_path,
			   const char *soname)
{
	const struct pointcut_subject subject = {.module_path = module_path, .soname = soname};

	return may_hold(pointcut, &subject, KNOWS_MODULE);
}

bool pointcut_wants_all_modules(const struct pointcut *pointcut)
{
	return pointcut_wants_module(pointcut, NULL, NULL);
}

bool pointcut_wants_program(const struct pointcut *pointcut, const char *program)
{
	const struct pointcut_subject subject = {.program = program};

	return may_hold(pointcut, &subject, KNOWS_PROGRAM);
}

bool pointcut_wants_functions(const struct pointcut *pointcut)
{
	const struct pointcut_subject subject = {};

	return may_hold(pointcut, &subject, KNOWS_KIND);
}

/* Calls `visit` for each leaf; not_too: for those under a "!" as well. Stops at what is not 0, and
 * returns it. */
static int visit_leaves(const struct node *node, bool not_too,
			int (*visit)(const struct node *, void *), void *opaque)
{
	int r = 0;

	if (node->kind == NODE_NOT && !not_too)
		return 0;
	if (node->kind > NODE_NOT)
		return visit(node, opaque);
	for (size_t i = 0; r == 0 && i < node->n_children; i++)
		r = visit_leaves(&node->children[i], not_too, visit, opaque);
	return r;
}

static int has_arguments(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_PATTERN && node->pattern.has_arguments;
}

bool pointcut_wants_arguments(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, true, has_arguments, NULL);
}

static int is_usdt(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_USDT;
}

bool pointcut_wants_static_probes(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, false, is_usdt, NULL);
}

static int add_once(struct strings *strings, const char *item)
{
	return strings_contain(strings, item) ? 0 : strings_add(strings, item);
}

static int add_module(const struct node *node, void *globs)
{
	if (node->kind == NODE_PATTERN && node->pattern.module)
		return add_once(globs, node->pattern.module);
	if (node->kind == NODE_WITHIN && node->places & PLACE_MODULE && !node->regex)
		return add_once(globs, node->text);
	return 0;
}

int pointcut_modules(const struct pointcut *pointcut, struct strings *globs)
{
	return visit_leaves(&pointcut->root, false, add_module, globs);
}

static int add_exe(const struct node *node, void *globs)
{
	return node->kind == NODE_EXE ? add_once(globs, node->text) : 0;
}

int pointcut_exe_globs(const struct pointcut *pointcut, struct strings *globs)
{
	return visit_leaves(&pointcut->root, true, add_exe, globs);
}

static int add_name(const struct node *node, void *globs)
{
	return node->kind == NODE_PATTERN && !node->pattern.regex
		       ? add_once(globs, node->pattern.written)
		       : 0;
}

int pointcut_name_globs(const struct pointcut *pointcut, struct strings *globs)
{
	return visit_leaves(&pointcut->root, false, add_name, globs);
}
