/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An aspect from anybody: parsed, printed, parsed again to the same, and matched against a few
 * names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/aspect.h"
#include "probe/pointcut_atoms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct aspect *aspect)
{
	struct text text = {};

	if (aspect_print(aspect, &text) < 0)
		abort();
	return text.data;
}

static void check_printing(const struct aspect *aspect)
{
	_cleanup_(aspect_freep) struct aspect *again = NULL;
	_cleanup_free_ char *first = print(aspect), *second = NULL;
	struct why why = {};
	int r;

	/* parentheses that were left out may make it shorter, those that are put in longer than may
	 * be */
	if (strlen(first) > 4096)
		return;
	r = aspect_parse(first, &again, NULL, &why);
	if (r < 0)
		abort();
	second = print(again);
	if (strcmp(first, second) != 0 || !aspect_records_the_same(aspect, again))
		abort();
}

static int no_source(void *opaque, const char **ret_path)
{
	(void)opaque;
	*ret_path = "/src/ns/pair.cpp";
	return 0;
}

/* What is left of it for run time: holds at some time if it does at all, and never if it is not selected. */
static void check_condition(const struct pointcut *pointcut, const struct pointcut_subject *subject)
{
	const struct pointcut_process process = {.exe = "/usr/bin/lmp", .comm = "lmp", .rank = 3};
	struct pointcut_atoms atoms = {};
	struct pf_condition condition;
	bool holds = false;
	int r;

	if (pointcut_atoms_add(&atoms, pointcut, NULL) < 0)
		return;
	pointcut_atoms_of_process(&atoms, &process);
	r = pointcut_condition(pointcut, &atoms, subject, 0, &condition, NULL, NULL);
	if (r == 1 && pointcut_matches(pointcut, subject, NULL, NULL) != 1)
		abort();
	if (r != 1)
		return;
	for (uint32_t i = 0; i < condition.n_alternatives; i++)
		holds |= condition_holds(&condition, condition.alternatives[i].wanted);
	if (condition.n_alternatives && !holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pointcut_names names[] = {
		{"_ZN2ns4PairIiE7computeEi", "ns::Pair<int>::compute",
		 "ns::Pair<int>::compute(int)"},
		{"main", NULL, NULL},
	};
	const struct pointcut_subject function = {.module_path = "/usr/lib/libx.so.1",
						  .names = names,
						  .n_names = 2,
						  .size = 9,
						  .find_source = no_source};
	const struct pointcut_subject probe = {
		.module_path = "/usr/bin/lmp", .provider = "python", .probe = "gc"};
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	_cleanup_(strings_done) struct strings list = {};
	_cleanup_free_ char *text = malloc(size + 1);
	struct why why = {};
	size_t column = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	if (aspect_parse(text, &aspect, &column, &why) < 0) {
		if (!why.text[0] || column > strlen(text))
			abort();
		return 0;
	}
	check_printing(aspect);
	/* what is selected is wanted */
	if (pointcut_matches(aspect->pointcut, &function, NULL, NULL) == 1 &&
	    (!pointcut_wants_module(aspect->pointcut, function.module_path, NULL) ||
	     !pointcut_wants_functions(aspect->pointcut)))
		abort();
	if (pointcut_matches(aspect->pointcut, &probe, NULL, NULL) == 1 &&
	    !pointcut_wants_module(aspect->pointcut, probe.module_path, NULL))
		abort();
	check_condition(aspect->pointcut, &function);
	check_condition(aspect->pointcut, &probe);
	pointcut_modules(aspect->pointcut, &list);
	pointcut_name_globs(aspect->pointcut, &list);
	return 0;
}
