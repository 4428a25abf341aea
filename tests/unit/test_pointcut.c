/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/pointcut.h"

static struct pointcut *parse(const char *text)
{
	struct pointcut *pointcut = NULL;
	struct why why = {};

	assert_int_equal(pointcut_parse(text, &pointcut, NULL, &why), 0);
	return pointcut;
}

static bool selects(const char *text, const char *module, struct pointcut_names names,
		    const char **matched)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse(text);

	return pointcut_matches(pointcut, module, NULL, &names, matched);
}

#define PLAIN(name) ((struct pointcut_names){.linker_name = (name)})
#define LONG(linker, short_name, long_name)                                                        \
	((struct pointcut_names){                                                                  \
		.linker_name = (linker), .plain = (short_name), .with_arguments = (long_name)})

static void a_name_selects_the_function_of_that_name(void **state)
{
	(void)state;
	assert_true(selects("main", "lmp", PLAIN("main"), NULL));
	assert_true(selects(" main ", "lmp", PLAIN("main"), NULL));
	assert_false(selects("main", "lmp", PLAIN("main2"), NULL));
	assert_false(selects("main", "lmp", PLAIN("domain"), NULL));
}

static void a_glob_selects_many(void **state)
{
	const struct pointcut_names compute =
		LONG("_ZN9LAMMPS_NS4Pair7computeEii", "LAMMPS_NS::Pair::compute",
		     "LAMMPS_NS::Pair::compute(int, int)");

	(void)state;
	assert_true(selects("MPI_*", "libmpi.so.40", PLAIN("MPI_Send"), NULL));
	assert_true(selects("MPI_[RS]e??", "libmpi.so.40", PLAIN("MPI_Send"), NULL));
	assert_false(selects("MPI_[!RS]*", "libmpi.so.40", PLAIN("MPI_Send"), NULL));
	assert_true(selects("LAMMPS_NS::*::compute", "lmp", compute, NULL));
	assert_true(selects("::LAMMPS_NS::*::compute", "lmp", compute, NULL));
	assert_false(selects("LAMMPS_NS::*::comp", "lmp", compute, NULL));
	assert_true(selects("_ZN9LAMMPS_NS4Pair*", "lmp", compute, NULL));
	assert_true(selects("a\\*b", "lmp", PLAIN("a*b"), NULL));
	assert_false(selects("a\\*b", "lmp", PLAIN("axb"), NULL));
}

static void the_name_that_matched_is_told(void **state)
{
	const struct pointcut_names names = LONG("_Z1fi", "f", "f(int)");
	const char *matched;

	(void)state;
	assert_true(selects("f", "lmp", names, &matched));
	assert_ptr_equal(matched, names.plain);
	assert_true(selects("f(int)", "lmp", names, &matched));
	assert_ptr_equal(matched, names.with_arguments);
	assert_true(selects("_Z1f*", "lmp", names, &matched));
	assert_ptr_equal(matched, names.linker_name);
}

static void white_space_between_arguments_does_not_matter(void **state)
{
	const struct pointcut_names names =
		LONG("x", "solve", "solve(unsigned int, std::vector<int, std::allocator<int> >&)");

	(void)state;
	assert_true(selects("solve(unsigned int,std::vector<int,std::allocator<int>>&)", "x", names,
			    NULL));
	assert_true(selects("solve( unsigned  int , * )", "x", names, NULL));
	assert_false(selects("solve(unsignedint, *)", "x", names, NULL));
	assert_false(selects("solve(int, *)", "x", names, NULL));
	assert_true(selects("t<int,double>::g", "x",
			    LONG("x", "t<int, double>::g", "t<int, double>::g()"), NULL));
}

static void a_module_restricts_where_it_is_looked_for(void **state)
{
	(void)state;
	assert_true(selects("libmpi.so*:MPI_*", "/usr/lib/libmpi.so.40", PLAIN("MPI_Send"), NULL));
	assert_false(selects("libmpi.so*:MPI_*", "/usr/bin/lmp", PLAIN("MPI_Send"), NULL));
	assert_true(selects("libx.so:ns::f", "libx.so", LONG("_Z", "ns::f", NULL), NULL));
	assert_true(selects("libx.so:::ns::f", "libx.so", LONG("_Z", "ns::f", NULL), NULL));
	assert_true(selects("lmp : main", "/usr/bin/lmp", PLAIN("main"), NULL));
	assert_true(selects("libc.so.6:x || lmp:main", "/usr/bin/lmp", PLAIN("main"), NULL));
}

static void several_patterns_are_joined_by_or(void **state)
{
	(void)state;
	assert_true(selects("a||b", "x", PLAIN("b"), NULL));
	assert_true(selects("a || b || c*", "x", PLAIN("cd"), NULL));
	assert_false(selects("a || b", "x", PLAIN("a || b"), NULL));
	assert_true(selects("f(int (*)(bool)) || g", "x", PLAIN("g"), NULL));
	assert_true(selects("std::vector<* || g", "x", PLAIN("g"), NULL));
	assert_true(selects("std::vector<*::push_back || g", "x",
			    LONG("_Z", "std::vector<int, std::allocator<int> >::push_back", NULL),
			    NULL));
}

static void operators_are_names(void **state)
{
	static const char *const operators[] = {
		"s::operator()",      "s::operator||",
		"s::operator&&",      "s::operator<<",
		"s::operator<",	      "s::operator>",
		"s::operator->",      "s::operator[]",
		"s::operator!",	      "s::operator,",
		"s::operator bool",   "s::operator<< <int>",
		"s::operator<=<int>", "s::operator char const*",
		"s::operator&",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		char both[64];

		assert_true(selects(operators[i], "x", LONG("_Z", operators[i], NULL), NULL));
		assert_false(selects(operators[i], "x", LONG("_Z", "s::operator^", NULL), NULL));
		snprintf(both, sizeof(both), "%s || main", operators[i]);
		assert_true(selects(both, "x", PLAIN("main"), NULL));
	}
	assert_true(selects("*::operator()(int) const", "x",
			    LONG("_Z", "s::operator()", "s::operator()(int) const"), NULL));
	assert_true(selects("myoperator || b", "x", PLAIN("b"), NULL));
}

static void anonymous_namespaces_and_lambdas_are_names(void **state)
{
	(void)state;
	assert_true(selects("(anonymous namespace)::f", "x",
			    LONG("_Z", "(anonymous namespace)::f", "..."), NULL));
	assert_true(selects("libx.so:(anonymous namespace)::*", "libx.so.1",
			    LONG("_Z", "(anonymous namespace)::f", NULL), NULL));
	assert_true(selects("ns::f(int)::{lambda(int)#1}::operator()", "x",
			    LONG("_Z", "ns::f(int)::{lambda(int)#1}::operator()",
				 "ns::f(int)::{lambda(int)#1}::operator()(int) const"),
			    NULL));
}

static void an_error_says_what_was_expected_and_where(void **state)
{
	static const struct {
		const char *text;
		size_t column;
		const char *sentence;
	} cases[] = {
		{"", 0, "a function's name was expected, but the expression ends"},
		{"  ", 2, "a function's name was expected, but the expression ends"},
		{"main ||", 7, "a function's name was expected, but the expression ends"},
		{"|| main", 0, "a function's name was expected before '||'"},
		{"a || || b", 5, "a function's name was expected before '||'"},
		{":f", 0, "the name of a library or program was expected before ':'"},
		{"libx.so:", 8, "a function's name was expected after 'libx.so:'"},
		{"a || libx.so: || b", 13, "a function's name was expected after 'libx.so:'"},
		{"a:b:c", 3, "'::' was expected, not ':'"},
		{"f(int", 1, "')' was expected, to close the '('"},
		{"f)", 1, "'||' or the end was expected, not ')'"},
		{"a && b", 2, "'||' or the end was expected, not '&&'"},
		{"a | b", 2, "'||' or the end was expected, not '|'"},
		{"a[b", 1, "']' was expected, to close the '['"},
		{"!a", 0, "a function's name was expected, not '!'"},
		{"(a)", 0, "a function's name was expected, not '('"},
		{"a\\", 1, "a character was expected after '\\'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pointcut *pointcut = NULL;
		struct why why = {};
		size_t column = 99;

		assert_int_equal(pointcut_parse(cases[i].text, &pointcut, &column, &why), -EINVAL);
		assert_string_equal(why.text, cases[i].sentence);
		assert_int_equal(column, cases[i].column);
		assert_null(pointcut);
	}
}

static void an_absurdly_long_expression_is_refused(void **state)
{
	struct pointcut *pointcut = NULL;
	struct why why = {};
	char text[5000];

	(void)state;
	memset(text, '<', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(pointcut_parse(text, &pointcut, NULL, &why), -EINVAL);
	assert_string_equal(why.text, "an expression may have 4096 bytes, this one has more");
	/* what is below the limit ends in time, whatever it is */
	text[4096] = '\0';
	assert_int_equal(pointcut_parse(text, &pointcut, NULL, NULL), 0);
	pointcut_free(pointcut);
	memset(text, '(', 4096);
	assert_int_equal(pointcut_parse(text, &pointcut, NULL, NULL), -EINVAL);
}

static void what_is_printed_parses_to_the_same(void **state)
{
	static const char *const cases[] = {
		"main",
		"a || b",
		"libmpi.so*:MPI_*",
		"f(int, double*) || (anonymous namespace)::g",
		"libx.so:ns::operator||",
		"libx.so:::f",
		"a\\ ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(pointcut_freep) struct pointcut *pointcut = parse(cases[i]),
							  *again = NULL;
		_cleanup_(text_done) struct text text = {}, second = {};

		assert_int_equal(pointcut_print(pointcut, &text), 0);
		assert_string_equal(text.data, cases[i]);
		again = parse(text.data);
		assert_int_equal(pointcut_print(again, &second), 0);
		assert_string_equal(second.data, text.data);
	}
}

static void modules_and_names_can_be_listed(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut =
		parse("libm*:a || b || libm*:c || lmp:b");
	_cleanup_(strings_done) struct strings modules = {}, names = {};

	(void)state;
	assert_int_equal(pointcut_modules(pointcut, &modules), 0);
	assert_int_equal(modules.n_items, 2);
	assert_string_equal(modules.items[0], "libm*");
	assert_string_equal(modules.items[1], "lmp");
	assert_int_equal(pointcut_name_globs(pointcut, &names), 0);
	assert_int_equal(names.n_items, 3);
	assert_true(pointcut_wants_all_modules(pointcut));
	assert_true(pointcut_wants_module(pointcut, "anything", NULL));
}

static void a_module_that_is_not_meant_need_not_be_read(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse("libmpi.so:MPI_* || lmp:main");

	(void)state;
	assert_false(pointcut_wants_all_modules(pointcut));
	assert_true(pointcut_wants_module(pointcut, "/usr/bin/lmp", NULL));
	assert_true(pointcut_wants_module(pointcut, "/x/libmpi.so.40.30", "libmpi.so.40"));
	assert_true(pointcut_wants_module(pointcut, "renamed", "libmpi.so.40"));
	assert_false(pointcut_wants_module(pointcut, "/usr/lib/libc.so.6", "libc.so.6"));
	assert_false(pointcut_wants_arguments(pointcut));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_selects_the_function_of_that_name),
		cmocka_unit_test(a_glob_selects_many),
		cmocka_unit_test(the_name_that_matched_is_told),
		cmocka_unit_test(white_space_between_arguments_does_not_matter),
		cmocka_unit_test(a_module_restricts_where_it_is_looked_for),
		cmocka_unit_test(several_patterns_are_joined_by_or),
		cmocka_unit_test(operators_are_names),
		cmocka_unit_test(anonymous_namespaces_and_lambdas_are_names),
		cmocka_unit_test(an_error_says_what_was_expected_and_where),
		cmocka_unit_test(an_absurdly_long_expression_is_refused),
		cmocka_unit_test(what_is_printed_parses_to_the_same),
		cmocka_unit_test(modules_and_names_can_be_listed),
		cmocka_unit_test(a_module_that_is_not_meant_need_not_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
