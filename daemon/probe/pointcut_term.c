/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The terms of a pointcut, beside patterns: a word with something in parentheses. What stands there
 * is a text of its own with brackets that are closed (within, usdt, and the process's), a range of
 * numbers, a pattern or a pointcut.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pointcut_node.h"
#include "util/cleanup.h"

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

const char *place_prefix(unsigned int place)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i].place == place)
			return places[i].prefix;
	}
	return "";
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

/* Two globs with a colon between. */
struct pair_of {
	const char *what, *first, *second; /* for its errors */
};

/* "(" first ":" second ")"; the second begins at *ret_second in the text. */
static int parse_pair(struct parser *parser, const struct pair_of *of, struct node *node,
		      size_t *ret_first, size_t *ret_second)
{
	size_t start, end;
	char *colon;
	int r;

	r = pattern_parse_argument(parser, of->what, &start, &node->text);
	if (r < 0)
		return r;
	colon = strchr(node->text, ':');
	if (!colon)
		return parse_error(parser, start + strlen(node->text),
				   "':' and %s were expected after %s", of->second, of->first);
	for (end = colon - node->text; end > 0 && isspace((unsigned char)node->text[end - 1]);)
		end--;
	if (end == 0)
		return parse_error(parser, start, "%s was expected before ':'", of->first);
	colon += 1 + strspn(colon + 1, SPACE);
	if (!*colon)
		return parse_error(parser, start + (colon - node->text),
				   "%s was expected after ':'", of->second);
	node->name = strdup(colon);
	*ret_first = start;
	*ret_second = start + (colon - node->text);
	node->text[end] = '\0';
	return node->name ? 0 : -ENOMEM;
}

/* "usdt(" provider ":" name ")" */
static int parse_usdt(struct parser *parser, struct node *node)
{
	static const struct pair_of probe = {"a static probe, as provider:name,",
					     "the provider of a static probe", "a probe's name"};
	size_t first, second;

	node->kind = NODE_USDT;
	return parse_pair(parser, &probe, node, &first, &second);
}

/* "py(" module ":" name ")" */
static int parse_py(struct parser *parser, struct node *node)
{
	static const struct pair_of function = {"a Python function, as module:name,",
						"the module of a Python function",
						"the qualified name of a function"};
	static const char not_in_names[] = SPACE ":";
	size_t first, second, n;
	int r;

	node->kind = NODE_PY;
	r = parse_pair(parser, &function, node, &first, &second);
	if (r < 0)
		return r;
	n = strcspn(node->text, not_in_names);
	if (node->text[n])
		return parse_error(parser, first + n, "no Python module has a '%c' in its name",
				   node->text[n]);
	n = strcspn(node->name, not_in_names);
	return node->name[n] ? parse_error(parser, second + n,
					   "no Python function has a '%c' in its name",
					   node->name[n])
			     : 0;
}

/* What a range is of, for its errors. */
struct range_of {
	const char *what, *example;
};

static int parse_number(struct parser *parser, const struct range_of *of, uint64_t *ret_number)
{
	size_t start = parser->at;
	uint64_t number = 0;

	for (; isdigit((unsigned char)parser->text[parser->at]); parser->at++) {
		if (number > (UINT64_MAX - 9) / 10)
			return parse_error(parser, start, "%s was expected, this one is too large",
					   of->what);
		number = number * 10 + (parser->text[parser->at] - '0');
	}
	*ret_number = number;
	return parser->at > start;
}

/* N ".." M, of which one may be missing, or N alone */
static int parse_range(struct parser *parser, const struct range_of *of, struct node *node)
{
	size_t start = parser->at;
	int first, second;

	node->most = UINT64_MAX;
	first = parse_number(parser, of, &node->least);
	if (first < 0)
		return first;
	parser_skip_space(parser);
	if (strncmp(parser->text + parser->at, "..", 2) != 0) {
		node->most = node->least;
		return first ? 0
			     : parse_error(parser, parser->at, "%s was expected, as in %s",
					   of->what, of->example);
	}
	parser->at += 2;
	parser_skip_space(parser);
	second = parse_number(parser, of, &node->most);
	if (second < 0)
		return second;
	if (!second)
		node->most = UINT64_MAX;
	if (!first && !second)
		return parse_error(parser, start, "%s was expected, as in %s", of->what,
				   of->example);
	if (node->least > node->most)
		return parse_error(parser, start,
				   "the first number of a range is not the larger one");
	return 0;
}

/* "(" range ")" */
static int parse_range_of(struct parser *parser, const struct range_of *of, struct node *node)
{
	size_t open = parser->at++;
	int r;

	parser_skip_space(parser);
	r = parse_range(parser, of, node);
	return r < 0 ? r : parser_close(parser, open);
}

/* "size(" N ".." M ")" */
static int parse_size(struct parser *parser, struct node *node)
{
	static const struct range_of bytes = {"a number of bytes", "size(100..2000)"};

	node->kind = NODE_SIZE;
	return parse_range_of(parser, &bytes, node);
}

/* "rank(" N ".." M ")" */
static int parse_rank(struct parser *parser, struct node *node)
{
	static const struct range_of ranks = {"a rank", "rank(0) or rank(0..7)"};

	node->kind = NODE_RANK;
	return parse_range_of(parser, &ranks, node);
}

/* "annotated()" */
static int parse_annotated(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;

	node->kind = NODE_ANNOTATED;
	return parser_close(parser, open);
}

/* "execution(" pattern ")" */
static int parse_execution(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;
	int r;

	node->kind = NODE_PATTERN;
	node->is_execution = true;
	r = pattern_parse(parser, &node->pattern);
	return r < 0 ? r : parser_close(parser, open);
}

/* "cflow(" pointcut ")" */
static int parse_cflow(struct parser *parser, struct node *node)
{
	size_t open = parser->at++;
	int r;

	node->kind = NODE_CFLOW;
	parser->is_in_cflow = true;
	r = pointcut_parse_part(parser, &node->inner);
	parser->is_in_cflow = false;
	if (r < 0)
		return r;
	if (parser->text[parser->at] && parser->text[parser->at] != ')')
		return parse_error(parser, parser->at, "'&&', '||' or ')' was expected, not '%c'",
				   parser->text[parser->at]);
	return parser_close(parser, open);
}

/* A term of the process that is a glob. */
static int parse_process(struct parser *parser, struct node *node, enum node_kind kind,
			 const char *expected)
{
	size_t start;

	node->kind = kind;
	return pattern_parse_argument(parser, expected, &start, &node->text);
}

static int parse_exe(struct parser *parser, struct node *node)
{
	return parse_process(parser, node, NODE_EXE, "the name or path of a program");
}

static int parse_comm(struct parser *parser, struct node *node)
{
	return parse_process(parser, node, NODE_COMM, "the name of a process");
}

static int parse_cgroup(struct parser *parser, struct node *node)
{
	return parse_process(parser, node, NODE_CGROUP, "the name or path of a cgroup");
}

static int parse_job(struct parser *parser, struct node *node)
{
	return parse_process(parser, node, NODE_JOB, "the id of a job");
}

static int find_user(struct parser *parser, size_t start, const char *user, uint64_t *ret_uid)
{
	const struct passwd *entry;
	uint64_t uid = 0;

	if (user[strspn(user, "0123456789")]) {
		entry = getpwnam(user);
		if (!entry)
			return parse_error(parser, start, "there is no user '%s'", user);
		*ret_uid = entry->pw_uid;
		return 0;
	}
	for (; *user; user++) {
		uid = uid * 10 + (*user - '0');
		if (uid >= UINT32_MAX) /* which says "none" to the kernel */
			return parse_error(parser, start,
					   "a user was expected, this number is too large");
	}
	*ret_uid = uid;
	return 0;
}

/* "uid(" number or name ")" */
static int parse_uid(struct parser *parser, struct node *node)
{
	_cleanup_free_ char *user = NULL;
	size_t start;
	int r;

	node->kind = NODE_UID;
	r = pattern_parse_argument(parser, "a user, by number or name,", &start, &user);
	if (r == 0)
		r = find_user(parser, start, user, &node->least);
	node->most = node->least;
	return r;
}

static const char about_process[] = "it is about the process, whatever it is in";

static const struct {
	const char *word;
	int (*parse)(struct parser *parser, struct node *node); /* from the "(" on */
	const char *not_in_cflow;				/* why it cannot stand there */
} designators[] = {
	{"execution", parse_execution},
	{"within", parse_within},
	{"size", parse_size},
	{"usdt", parse_usdt, "a static probe is a place that nothing is inside of"},
	{"py", parse_py, "calls of Python functions are not followed"},
	{"annotated", parse_annotated},
	{"cflow", parse_cflow, "one is enough, '||' and '&&' can stand in it"},
	{"exe", parse_exe, about_process},
	{"comm", parse_comm, about_process},
	{"uid", parse_uid, about_process},
	{"cgroup", parse_cgroup, about_process},
	{"job", parse_job, about_process},
	{"rank", parse_rank, about_process},
};

int node_parse_term(struct parser *parser, struct node *node)
{
	const char *text = parser->text + parser->at;
	size_t n;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(designators); i++) {
		n = strlen(designators[i].word);
		if (strncmp(text, designators[i].word, n) != 0 || text[n] != '(')
			continue;
		if (parser->is_in_cflow && designators[i].not_in_cflow)
			return parse_error(parser, parser->at,
					   "%s() cannot stand inside of cflow(): %s",
					   designators[i].word, designators[i].not_in_cflow);
		parser->at += n;
		r = designators[i].parse(parser, node);
		node->is_process = node->kind >= NODE_EXE;
		return r < 0 ? r : 1;
	}
	return 0;
}
