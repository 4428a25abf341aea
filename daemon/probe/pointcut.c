/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Evaluation knows three values. "Perhaps" is what a term says of something that is not known
 * (yet): the program of the process, what it was called by, or, where only a module is given, all
 * that depends on its functions. So one evaluator answers both "is this function meant?" and "can
 * anything in this binary be meant?"; what is perhaps selected, is selected, and whoever knows more
 * asks again. Source files cost most, so children that ask for them come last.
 */
#include "probe/pointcut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/binary.h"
#include "perfflow/python.h"
#include "probe/pointcut_node.h"
#include "probe/python.h"

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

	if (!program)
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

/* A static probe that the source announces something by is called by this name too. */
static enum truth ask_annotated(struct question *question)
{
	if (!(question->knows & KNOWS_FUNCTION))
		return PERHAPS;
	question->is_called |= question->subject->is_annotated;
	return question->subject->is_annotated ? YES : NO;
}

/* They are told of by one library, or by the interpreter. */
static enum truth ask_modules_of_py(const struct question *question)
{
	return greatest(ask_module(PF_PYTHON_LIBRARY, question),
			greatest(ask_module("python3*", question), ask_module("libpython3*", question)));
}

static enum truth ask_py(const struct node *node, struct question *question)
{
	const struct pointcut_subject *subject = question->subject;

	if (!(question->knows & KNOWS_KIND))
		return least(ask_modules_of_py(question), PERHAPS);
	if (!subject->python || !python_holds(subject->python, node, subject->python_held))
		return NO;
	question->is_called = true;
	return YES;
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
			truth = all ? least(truth, node_ask(&node->children[i], question))
				    : greatest(truth, node_ask(&node->children[i], question));
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
	enum truth truth = node_ask(node->children, &inner);

	question->error = inner.error;
	return YES - truth;
}

enum truth node_ask(const struct node *node, struct question *question)
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
	case NODE_SIZE:
		return ask_size(node, question);
	case NODE_USDT:
		return ask_usdt(node, question);
	case NODE_PY:
		return ask_py(node, question);
	case NODE_ANNOTATED:
		return ask_annotated(question);
	case NODE_EXE:
		return ask_exe(node, question);
	case NODE_CFLOW:
	case NODE_COMM:
	case NODE_UID:
	case NODE_CGROUP:
	case NODE_JOB:
	case NODE_RANK:
		return PERHAPS;
	}
	return NO;
}

int pointcut_ask(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		 enum truth *ret_truth, const char **ret_matched, struct why *why)
{
	struct question question = {.subject = subject, .knows = KNOWS_ALL, .why = why};
	enum truth truth = node_ask(&pointcut->root, &question);

	if (question.error < 0)
		return question.error;
	/* "everything but" means functions: a static probe has to be called by its name */
	if (subject->provider && !question.is_called)
		truth = NO;
	if (truth != NO && question.matched && ret_matched)
		*ret_matched = question.matched;
	*ret_truth = truth;
	return 0;
}

int pointcut_matches(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		     const char **ret_matched, struct why *why)
{
	enum truth truth;
	int r;

	r = pointcut_ask(pointcut, subject, &truth, ret_matched, why);
	return r < 0 ? r : truth != NO;
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

/* Whether it may hold, by what is known of the subject. An expression that cannot be decided may.
 */
static bool may_hold(const struct node *root, const struct pointcut_subject *subject,
		     unsigned int knows)
{
	struct question question = {.subject = subject, .knows = knows};

	return node_ask(root, &question) != NO || question.error < 0;
}

static int inner_wants_module(const struct node *node, void *subject)
{
	return node->kind == NODE_CFLOW && may_hold(&node->inner->root, subject, KNOWS_MODULE);
}

bool pointcut_wants_module(const struct pointcut *pointcut, const char *module_path,
			   const char *soname)
{
	struct pointcut_subject subject = {.module_path = module_path, .soname = soname};

	return may_hold(&pointcut->root, &subject, KNOWS_MODULE) ||
	       visit_leaves(&pointcut->root, true, inner_wants_module, &subject);
}

bool pointcut_wants_all_modules(const struct pointcut *pointcut)
{
	return pointcut_wants_module(pointcut, NULL, NULL);
}

static int is_cflow(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_CFLOW;
}

bool pointcut_wants_functions(const struct pointcut *pointcut)
{
	const struct pointcut_subject subject = {};

	return may_hold(&pointcut->root, &subject, KNOWS_KIND) ||
	       visit_leaves(&pointcut->root, true, is_cflow, NULL);
}

static int has_arguments(const struct node *node, void *opaque)
{
	(void)opaque;
	if (node->kind == NODE_CFLOW)
		return pointcut_wants_arguments(node->inner);
	return node->kind == NODE_PATTERN && node->pattern.has_arguments;
}

bool pointcut_wants_arguments(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, true, has_arguments, NULL);
}

static int is_annotated(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_CFLOW ? pointcut_wants_annotations(node->inner) : node->kind == NODE_ANNOTATED;
}

bool pointcut_wants_annotations(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, true, is_annotated, NULL);
}

static int is_about_places(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_USDT || node->kind == NODE_PY || node->kind == NODE_ANNOTATED;
}

bool pointcut_wants_static_probes(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, false, is_about_places, NULL);
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

static int add_inner_modules(const struct node *node, void *globs)
{
	return node->kind == NODE_CFLOW ? pointcut_modules(node->inner, globs) : 0;
}

int pointcut_modules(const struct pointcut *pointcut, struct strings *globs)
{
	int r;

	r = visit_leaves(&pointcut->root, false, add_module, globs);
	return r < 0 ? r : visit_leaves(&pointcut->root, true, add_inner_modules, globs);
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

static int add_static_probe(const struct node *node, void *globs)
{
	_cleanup_free_ char *probe = NULL;

	if (node->kind != NODE_USDT)
		return 0;
	if (asprintf(&probe, "%s:%s", node->text, node->name) < 0)
		return -ENOMEM;
	return add_once(globs, probe);
}

int pointcut_static_probe_globs(const struct pointcut *pointcut, struct strings *globs)
{
	return visit_leaves(&pointcut->root, false, add_static_probe, globs);
}

static int is_py(const struct node *node, void *opaque)
{
	(void)opaque;
	return node->kind == NODE_PY;
}

bool pointcut_wants_python(const struct pointcut *pointcut)
{
	return visit_leaves(&pointcut->root, true, is_py, NULL);
}

bool pointcut_is_about_process(const struct pointcut *pointcut)
{
	return pointcut->root.is_process;
}
