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
	const struct pointcut_subject subject = {
		.module_path = module, .names = &names, .n_names = 1};
	int r;

	r = pointcut_matches(pointcut, &subject, matched, NULL);
	assert_true(r >= 0);
	return r;
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
		{"f)", 1, "'&&', '||' or the end was expected, not ')'"},
		{"a & b", 2, "'&&', '||' or the end was expected, not '&'"},
		{"a | b", 2, "'&&', '||' or the end was expected, not '|'"},
		{"(a | b)", 3, "'&&', '||' or ')' was expected, not '|'"},
		{"a && ", 5, "a function's name was expected, but the expression ends"},
		{"a && || b", 5, "a function's name was expected before '||'"},
		{"(a", 0, "')' was expected, to close the '('"},
		{"a || (b || (c)", 5, "')' was expected, to close the '('"},
		{"()", 1, "a function's name was expected, not ')'"},
		{"!", 1, "a function's name was expected, but the expression ends"},
		{"f = 1", 2,
		 "no function's name has a '=' here; options stand behind a pointcut in "
		 "parentheses"},
		{":::f", 0, "the name of a library or program was expected before ':'"},
		{":: && a", 3, "a function's name was expected after '::'"},
		{"a && !\f", 7, "a function's name was expected, but the expression ends"},
		{"a:: :f", 4, "a function's name was expected, not ':'"},
		{"/x", 0,
		 "a second '/' was expected, to end the regular expression, and '\\/' for each "
		 "inside of it"},
		{"/a/b/", 0,
		 "a second '/' was expected, to end the regular expression, and '\\/' for each "
		 "inside of it"},
		{"x:/a", 2,
		 "a second '/' was expected, to end the regular expression, and '\\/' for each "
		 "inside of it"},
		{"a || /x(/", 8,
		 "the regular expression is wrong here: missing closing parenthesis"},
		{"/a**/", 3,
		 "the regular expression is wrong here: quantifier does not follow a repeatable "
		 "item"},
		{"execution(f", 9, "')' was expected, to close the '('"},
		{"execution()", 10, "a function's name was expected, not ')'"},
		{"execution(a || b)", 12, "')' was expected, not '|'"},
		{"within()", 7, "a binary, a source file, a class or a namespace was expected"},
		{"within(file:)", 12,
		 "a binary, a source file, a class or a namespace was expected"},
		{"within(a", 6, "')' was expected, to close the '('"},
		{"within(/x/)", 7,
		 "'module:', 'file:' or 'class:' was expected, to say what the regular expression "
		 "is for"},
		{"within(file:/[/)", 13, "']' was expected, to close the '['"},
		{"exe( )", 5, "the name or path of a program was expected"},
		{"size()", 5, "a number of bytes was expected, as in size(100..2000)"},
		{"size(..)", 5, "a number of bytes was expected, as in size(100..2000)"},
		{"size(x)", 5, "a number of bytes was expected, as in size(100..2000)"},
		{"size(9..3)", 5, "the first number of a range is not the larger one"},
		{"size(99999999999999999999)", 5,
		 "a number of bytes was expected, this one is too large"},
		{"size(3", 4, "')' was expected, to close the '('"},
		{"size(3 k)", 7, "')' was expected, not 'k'"},
		{"usdt()", 5, "a static probe, as provider:name, was expected"},
		{"usdt(python)", 11, "':' and a probe's name were expected after the provider of a static probe"},
		{"usdt(:x)", 5, "the provider of a static probe was expected before ':'"},
		{"usdt(x:)", 7, "a probe's name was expected after ':'"},
		{"py()", 3, "a Python function, as module:name, was expected"},
		{"py(solver)", 9,
		 "':' and the qualified name of a function were expected after the module of a "
		 "Python function"},
		{"py(:f)", 3, "the module of a Python function was expected before ':'"},
		{"py(m: )", 5, "the qualified name of a function was expected after ':'"},
		{"py(a b:f)", 4, "no Python module has a ' ' in its name"},
		{"py(m : f:g)", 8, "no Python function has a ':' in its name"},
		{"cflow(py(m:f))", 6,
		 "py() cannot stand inside of cflow(): calls of Python functions are not followed"},
		{"annotated(x)", 10, "')' was expected, not 'x'"},
		{"cflow()", 6, "a function's name was expected, not ')'"},
		{"cflow(a", 5, "')' was expected, to close the '('"},
		{"cflow(a | b)", 8, "'&&', '||' or ')' was expected, not '|'"},
		{"cflow(a && cflow(b))", 11,
		 "cflow() cannot stand inside of cflow(): one is enough, '||' and '&&' can stand "
		 "in it"},
		{"cflow(a && (b || !rank(0)))", 18,
		 "rank() cannot stand inside of cflow(): it is about the process, whatever it is "
		 "in"},
		{"cflow(usdt(a:b))", 6,
		 "usdt() cannot stand inside of cflow(): a static probe is a place that nothing is "
		 "inside of"},
		{"comm()", 5, "the name of a process was expected"},
		{"cgroup( )", 8, "the name or path of a cgroup was expected"},
		{"job()", 4, "the id of a job was expected"},
		{"uid()", 4, "a user, by number or name, was expected"},
		{"uid( nobody-of-that-name)", 5, "there is no user 'nobody-of-that-name'"},
		{"uid(4294967295)", 4, "a user was expected, this number is too large"},
		{"uid(99999999999999999999999)", 4,
		 "a user was expected, this number is too large"},
		{"rank()", 5, "a rank was expected, as in rank(0) or rank(0..7)"},
		{"rank(-1)", 5, "a rank was expected, as in rank(0) or rank(0..7)"},
		{"rank(3..1)", 5, "the first number of a range is not the larger one"},
		{"rank(99999999999999999999)", 5, "a rank was expected, this one is too large"},
		{"rank(1", 4, "')' was expected, to close the '('"},
		{"a[b", 1, "']' was expected, to close the '['"},
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
	why = (struct why){};
	assert_int_equal(pointcut_parse(text, &pointcut, NULL, &why), -EINVAL);
	assert_string_equal(why.text, "an expression may be nested 64 deep, this one is deeper");
	memset(text, '!', 4096);
	assert_int_equal(pointcut_parse(text, &pointcut, NULL, NULL), -EINVAL);
}

static void and_binds_more_closely_than_or_and_not_most_of_all(void **state)
{
	(void)state;
	assert_true(selects("a && b || c", "x", PLAIN("c"), NULL));
	assert_true(selects("c || a && b", "x", PLAIN("c"), NULL));
	assert_false(selects("(c || a) && b", "x", PLAIN("c"), NULL));
	assert_true(selects("(c || a) && [abc]", "x", PLAIN("c"), NULL));
	assert_true(selects("* && !a*", "x", PLAIN("c"), NULL));
	assert_false(selects("* && !c*", "x", PLAIN("c"), NULL));
	assert_false(selects("!(a || c)", "x", PLAIN("c"), NULL));
	assert_true(selects("!a || c", "x", PLAIN("c"), NULL));
	assert_true(selects("!!c", "x", PLAIN("c"), NULL));
	assert_true(selects("f<int&&> && *", "x", LONG("_Z", "f<int&&>", NULL), NULL));
	assert_true(selects("vector<*&&*>::f || g", "x", PLAIN("g"), NULL));
}

static void all_names_of_a_function_are_asked_together(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *both = parse("PMPI_Send && MPI_Send"),
						  *not = parse("*Send && !MPI_*");
	const struct pointcut_names names[] = {PLAIN("MPI_Send"), PLAIN("PMPI_Send")};
	const struct pointcut_subject subject = {.module_path = "x", .names = names, .n_names = 2};
	const char *matched = NULL;

	(void)state;
	assert_int_equal(pointcut_matches(both, &subject, &matched, NULL), 1);
	assert_ptr_equal(matched, names[1].linker_name);
	assert_int_equal(pointcut_matches(not, &subject, NULL, NULL), 0);
}

static void only_what_holds_names_the_function(void **state)
{
	const struct pointcut_names names = LONG("_Z1fi", "f", "f(int)");
	const char *matched = NULL;

	(void)state;
	assert_true(selects("f && size(5) || f(int)", "x", names, &matched));
	assert_ptr_equal(matched, names.with_arguments);
	matched = NULL;
	assert_true(selects("!g", "x", names, &matched));
	assert_null(matched);
}

static void regular_expressions_select_names(void **state)
{
	const struct pointcut_names compute =
		LONG("_ZN4Pair7computeEii", "Pair::compute", "Pair::compute(int, int)");

	(void)state;
	assert_true(selects("/^H5[DF]/", "x", PLAIN("H5Dread"), NULL));
	assert_false(selects("/^H5[DF]/", "x", PLAIN("H5Gread"), NULL));
	assert_true(selects("/h5d/i && /read$/", "x", PLAIN("H5Dread"), NULL));
	assert_true(selects("/a|b/ || c", "x", PLAIN("c"), NULL));
	assert_true(selects("/^a\\/b$/", "x", PLAIN("a/b"), NULL));
	assert_true(selects("/[/)]/", "x", PLAIN("a/b"), NULL));
	assert_true(selects("lib*:/^f/", "libx.so", PLAIN("f1"), NULL));
	assert_false(selects("lib*:/^f/", "lmp", PLAIN("f1"), NULL));
	assert_true(selects("execution(/^f/)", "x", PLAIN("f1"), NULL));
	/* with the arguments if it asks for them */
	assert_true(selects("/compute\\(int/", "x", compute, NULL));
	assert_false(selects("/int/", "x", compute, NULL));
	/* with the linker's name if it asks for that */
	assert_false(selects("/7/", "x", compute, NULL));
	assert_true(selects("/^_ZN4Pair7/", "x", compute, NULL));
	/* a path is none */
	assert_true(selects("/usr/lib/libx.so:f", "/usr/lib/libx.so", PLAIN("f"), NULL));
}

static void a_regular_expression_that_takes_too_long_is_an_error(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse("/^(a+)+(a+)+(a+)+$/");
	const struct pointcut_names names = PLAIN("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	const struct pointcut_subject subject = {.module_path = "x", .names = &names, .n_names = 1};
	struct why why = {};

	(void)state;
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, &why), -E2BIG);
	assert_string_equal(
		why.text, "the regular expression /^(a+)+(a+)+(a+)+$/ takes too long for the name "
			  "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'");
}

static void execution_names_what_would_else_be_a_term(void **state)
{
	(void)state;
	assert_true(selects("execution(size(int))", "x", LONG("_Z", "size", "size(int)"), NULL));
	assert_true(selects("execution(main)", "x", PLAIN("main"), NULL));
	assert_true(selects("execution( libx.so:main )", "libx.so", PLAIN("main"), NULL));
	assert_true(selects("::size(int)", "x", LONG("_Z", "size", "size(int)"), NULL));
	assert_true(selects("size", "x", PLAIN("size"), NULL));
	assert_true(
		selects("std::size(int)", "x", LONG("_Z", "std::size", "std::size(int)"), NULL));
}

static void within_means_a_binary_or_a_class_by_what_it_looks_like(void **state)
{
	const struct pointcut_names compute =
		LONG("_Z", "LAMMPS_NS::Pair::compute", "LAMMPS_NS::Pair::compute(int)");
	const struct pointcut_names push =
		LONG("_Z", "std::vector<int, std::allocator<int> >::push_back", NULL);
	const struct pointcut_names lambda =
		LONG("_Z", "ns::use(int)::{lambda(int)#1}::operator()", NULL);

	(void)state;
	assert_true(selects("within(lmp)", "/usr/bin/lmp", compute, NULL));
	assert_true(selects("within(liblammps.so*)", "/x/liblammps.so.0", compute, NULL));
	assert_true(selects("within(/x/*)", "/x/liblammps.so.0", compute, NULL));
	assert_false(selects("within(libc.so*)", "/x/liblammps.so.0", compute, NULL));
	assert_true(selects("within(module:/lammps|mpi/)", "/x/liblammps.so.0", compute, NULL));

	assert_true(selects("within(LAMMPS_NS)", "x", compute, NULL));
	assert_true(selects("within(LAMMPS_NS::Pair)", "x", compute, NULL));
	assert_true(selects("within(LAMMPS_NS::P*)", "x", compute, NULL));
	assert_true(selects("within(class:/Pair$/)", "x", compute, NULL));
	assert_false(selects("within(Pair)", "x", compute, NULL));
	assert_false(selects("within(LAMMPS_NS::Pair::compute)", "x", compute, NULL));
	assert_false(selects("within(module:LAMMPS_NS)", "x", compute, NULL));
	assert_false(selects("within(class:lmp)", "lmp", compute, NULL));
	assert_true(selects("within(std::vector)", "x", push, NULL));
	assert_true(selects("within(std::vector<int*)", "x", push, NULL));
	assert_false(selects("within(std::list)", "x", push, NULL));
	assert_true(selects("within(ns::use(int))", "x", lambda, NULL));
	assert_true(selects("within(ns)", "x", lambda, NULL));
	assert_true(selects("within((anonymous namespace))", "x",
			    LONG("_Z", "(anonymous namespace)::f", NULL), NULL));
	assert_false(selects("within(class:*)", "x", PLAIN("main"), NULL));
}

struct file_of {
	const char *path;
	int n_asked;
};

static int tell_file(void *opaque, const char **ret_path)
{
	struct file_of *file = opaque;

	file->n_asked++;
	*ret_path = file->path;
	return file->path ? 0 : -ENOENT;
}

static bool selects_in_file(const char *text, struct file_of *file)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse(text);
	const struct pointcut_names names = PLAIN("compute");
	const struct pointcut_subject subject = {.module_path = "lmp",
						 .names = &names,
						 .n_names = 1,
						 .find_source = tell_file,
						 .opaque = file};

	return pointcut_matches(pointcut, &subject, NULL, NULL) == 1;
}

static void source_files_are_asked_for_only_where_it_depends_on_them(void **state)
{
	struct file_of file = {.path = "/src/lammps/KSPACE/pppm.cpp"}, unknown = {};

	(void)state;
	assert_true(selects_in_file("within(pppm.cpp)", &file));
	assert_true(selects_in_file("within(file:pppm*)", &file));
	assert_true(selects_in_file("within(KSPACE/*.cpp)", &file));
	assert_true(selects_in_file("within(/src/*)", &file));
	assert_true(selects_in_file("within(file:/KSPACE/)", &file));
	assert_false(selects_in_file("within(PACE/*.cpp)", &file));
	assert_false(selects_in_file("within(*.c)", &file));
	assert_int_equal(file.n_asked, 7);
	assert_false(selects_in_file("within(pppm.cpp) && main", &file));
	assert_true(selects_in_file("within(pppm.cpp) || compute", &file));
	assert_false(selects_in_file("within(libx.so)", &file));
	assert_false(selects_in_file("within(Pair*)", &file));
	assert_int_equal(file.n_asked, 7);
	assert_false(selects_in_file("within(pppm.cpp)", &unknown));
	assert_true(selects_in_file("!within(pppm.cpp)", &unknown));
}

static void size_selects_by_the_bytes_of_code(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		bool selected;
	} cases[] = {
		{"size(10..20)", 9, false},
		{"size(10..20)", 10, true},
		{"size( 10 .. 20 )", 20, true},
		{"size(10..20)", 21, false},
		{"size(10..)", UINT64_MAX, true},
		{"size(..20)", 1, true},
		{"size(7)", 7, true},
		{"size(7)", 8, false},
		{"size(..20)", 0, false},
		{"!size(..20)", 0, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(pointcut_freep) struct pointcut *pointcut = parse(cases[i].text);
		const struct pointcut_subject subject = {.size = cases[i].size};

		assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL),
				 cases[i].selected);
	}
}

static int selects_probe(const char *text, const char *provider, const char *probe)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse(text);
	const struct pointcut_subject subject = {
		.module_path = "libx.so", .provider = provider, .probe = probe};

	return pointcut_matches(pointcut, &subject, NULL, NULL);
}

static void static_probes_are_selected_by_their_name_alone(void **state)
{
	(void)state;
	assert_true(selects_probe("usdt(python:function__*)", "python", "function__entry"));
	assert_true(selects_probe("usdt( python : * )", "python", "function__entry"));
	assert_false(selects_probe("usdt(ruby:*)", "python", "function__entry"));
	assert_true(selects_probe("usdt(*:*) && within(libx.so)", "python", "function__entry"));
	assert_true(selects_probe("usdt(*:*) && !usdt(*:*entry)", "python", "gc"));
	assert_false(selects_probe("usdt(*:*) && !usdt(*:*entry)", "python", "function__entry"));
	assert_false(selects_probe("*", "python", "function__entry"));
	assert_false(selects_probe("!main", "python", "function__entry"));
	assert_false(selects_probe("!main || usdt(a:b)", "python", "function__entry"));
	assert_false(selects("usdt(*:*)", "x", PLAIN("main"), NULL));
}

static void what_the_source_announces_is_annotated_too(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *annotated = parse("annotated()"),
						  *except = parse("!annotated()");
	struct pointcut_subject subject = {
		.module_path = "libx.so", .provider = "perfflow", .probe = "begin"};

	(void)state;
	assert_false(pointcut_matches(annotated, &subject, NULL, NULL));
	subject.is_annotated = true;
	assert_true(pointcut_matches(annotated, &subject, NULL, NULL));
	assert_false(pointcut_matches(except, &subject, NULL, NULL));
	assert_true(pointcut_wants_static_probes(annotated));
}

static void python_functions_are_in_no_binary_but_that_which_tells_of_them(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *py = parse("py(m:f)"),
						  *both = parse("py(m:f) || !py(m:g) && h");

	(void)state;
	assert_false(selects("py(m:*)", "x", PLAIN("f"), NULL));
	assert_false(selects_probe("py(m:*)", "perfflow_python", "enter_0"));
	assert_true(selects("py(m:f) || !py(m:g) && h", "x", PLAIN("h"), NULL));
	assert_true(pointcut_wants_python(both));
	assert_true(pointcut_wants_module(py, "/x/libperfflow-python.so", NULL));
	assert_true(pointcut_wants_module(py, "/usr/bin/python3.11", NULL));
	assert_false(pointcut_wants_module(py, "/usr/lib/libm.so.6", NULL));
	assert_false(pointcut_wants_all_modules(py));
	assert_false(pointcut_wants_functions(py));
	assert_true(pointcut_wants_static_probes(py));
	assert_true(pointcut_wants_module(both, "/usr/lib/libm.so.6", NULL));
	assert_true(pointcut_wants_functions(both));
}

static void annotated_selects_what_the_source_marks(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut = parse("annotated( )");
	struct pointcut_subject subject = {.module_path = "x"};

	(void)state;
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 0);
	subject.is_annotated = true;
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 1);
}

static void a_program_that_is_not_known_may_be_the_one(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut =
		parse("exe(lmp*) && main || !exe(*sh) && g");
	const struct pointcut_names main_names = PLAIN("main"), other = PLAIN("other");
	struct pointcut_subject subject = {.module_path = "x", .names = &main_names, .n_names = 1};

	(void)state;
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 1);
	subject.program = "/usr/bin/lmp";
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 1);
	subject.program = "/bin/sh";
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 0);
	subject.program = NULL;
	subject.names = &other;
	assert_int_equal(pointcut_matches(pointcut, &subject, NULL, NULL), 0);
}

static void what_depends_on_the_process_or_the_caller_may_be_selected(void **state)
{
	static const char *const terms[] = {
		"cflow(main)", "comm(sh)",   "uid(0)",	"cgroup(/a/*)",
		"job(42)",     "rank(0..3)", "exe(sh)",
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(terms); i++) {
		snprintf(text, sizeof(text), "%s && f", terms[i]);
		assert_true(selects(text, "x", PLAIN("f"), NULL));
		assert_false(selects(text, "x", PLAIN("g"), NULL));
		snprintf(text, sizeof(text), "!%s && f", terms[i]);
		assert_true(selects(text, "x", PLAIN("f"), NULL));
		assert_false(selects(text, "x", PLAIN("g"), NULL));
	}
}

static void a_user_is_named_or_numbered(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *named = parse("f && uid( root )"),
						  *numbered = parse("f && uid(4294967294)");
	_cleanup_(text_done) struct text first = {}, second = {};

	(void)state;
	assert_int_equal(pointcut_print(named, &first), 0);
	assert_string_equal(first.data, "f && uid(0)");
	assert_int_equal(pointcut_print(numbered, &second), 0);
	assert_string_equal(second.data, "f && uid(4294967294)");
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
		"a\\\\ && b\\\\\\ ",
		"a && b || c && d",
		"(a || b) && !c",
		"!(a && b)",
		"!!a",
		"a || (b || c)",
		"(a && b) && c",
		"/^a|b/i && libx.so:/c/",
		"execution(size(int)) && size(5) && size(5..) && size(0..7) && size(5..7)",
		"within(a) && within(file:*.cpp) && within(module:/x/) && within(class:ns::*)",
		"exe(/usr/bin/*) && usdt(a:b) && annotated()",
		"py(package.*:Mesh.?[a-c]*) && !py(*:<module>)",
		"cflow(a || b && !libx.so:c) && d || !cflow((vector<*) && f)",
		"comm(sh*) && uid(7) && cgroup(/a/*) && job(42_*) && rank(3) && rank(1..) && "
		"rank(0..7)",
		"(vector<*) && f",
		"(operator) || f",
		"f<int&&> && vector<*&&*>::g",
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

/*
 * Trees are made by chance, written with more parentheses and spaces than they need, and evaluated
 * here for every assignment of their names; what the pointcut says has to be the same, before and
 * after it was printed.
 */
enum { MAX_TREE = 64, N_LETTERS = 4 };

struct tree {
	char kind; /* 'a'... a name, '!', '&', '|' */
	struct tree *left, *right;
};

static struct tree *grow(struct tree *pool, size_t *n, unsigned int *random, int depth)
{
	struct tree *tree = &pool[(*n)++];
	int choice = depth == 0 || *n > MAX_TREE - 8 ? 0 : rand_r(random) % 5;

	if (choice < 2) {
		tree->kind = (char)('a' + rand_r(random) % N_LETTERS);
		return tree;
	}
	tree->kind = "!&|"[choice - 2];
	tree->left = grow(pool, n, random, depth - 1);
	tree->right = tree->kind == '!' ? NULL : grow(pool, n, random, depth - 1);
	return tree;
}

static int binding(const struct tree *tree)
{
	return tree->kind == '|' ? 0 : tree->kind == '&' ? 1 : tree->kind == '!' ? 2 : 3;
}

static void write_tree(const struct tree *tree, int around, unsigned int *random, struct text *text)
{
	bool wrap = binding(tree) < around || rand_r(random) % 6 == 0;
	const char *space = rand_r(random) % 2 ? " " : "";

	text_printf(text, "%s%s", wrap ? "(" : "", space);
	if (tree->kind == '!') {
		text_printf(text, "!%s", space);
		write_tree(tree->left, 2, random, text);
	} else if (tree->right) {
		write_tree(tree->left, binding(tree), random, text);
		text_printf(text, "%s%c%c%s", space, tree->kind, tree->kind, space);
		write_tree(tree->right, binding(tree), random, text);
	} else {
		text_printf(text, "*%c*", tree->kind);
	}
	text_printf(text, "%s%s", space, wrap ? ")" : "");
}

static bool holds(const struct tree *tree, unsigned int letters)
{
	switch (tree->kind) {
	case '!':
		return !holds(tree->left, letters);
	case '&':
		return holds(tree->left, letters) && holds(tree->right, letters);
	case '|':
		return holds(tree->left, letters) || holds(tree->right, letters);
	default:
		return letters & 1U << (tree->kind - 'a');
	}
}

static void assert_means(const char *text, const struct tree *tree)
{
	for (unsigned int letters = 0; letters < 1U << N_LETTERS; letters++) {
		char name[N_LETTERS + 2] = "_";
		size_t n = 1;

		for (int i = 0; i < N_LETTERS; i++) {
			if (letters & 1U << i)
				name[n++] = "abcd"[i];
		}
		assert_int_equal(selects(text, "x", PLAIN(name), NULL), holds(tree, letters));
	}
}

static void any_tree_means_what_it_says_and_survives_printing(void **state)
{
	unsigned int random = 42;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		_cleanup_(pointcut_freep) struct pointcut *pointcut = NULL, *again = NULL;
		_cleanup_(text_done) struct text text = {}, printed = {}, second = {};
		struct tree pool[MAX_TREE + 64] = {}, *tree;
		size_t n = 0;

		tree = grow(pool, &n, &random, 5);
		write_tree(tree, 0, &random, &text);
		assert_means(text.data, tree);
		pointcut = parse(text.data);
		assert_int_equal(pointcut_print(pointcut, &printed), 0);
		assert_means(printed.data, tree);
		again = parse(printed.data);
		assert_int_equal(pointcut_print(again, &second), 0);
		assert_string_equal(second.data, printed.data);
	}
}

static void what_is_wanted_can_be_told_before_anything_is_read(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *within = parse(
							  "within(libm.so*) && !sin || libc.so:x"),
						  *except = parse("!libc.so*:* && f"),
						  *probes = parse("usdt(a:*)"),
						  *mixed = parse("usdt(a:*) || f(int)");
	_cleanup_(strings_done) struct strings modules = {};

	(void)state;
	assert_false(pointcut_wants_all_modules(within));
	assert_true(pointcut_wants_module(within, "/lib/libm.so.6", NULL));
	assert_false(pointcut_wants_module(within, "/lib/libz.so.1", NULL));
	assert_int_equal(pointcut_modules(within, &modules), 0);
	assert_int_equal(modules.n_items, 2);
	assert_true(pointcut_wants_all_modules(except));
	assert_false(pointcut_wants_functions(probes));
	assert_true(pointcut_wants_static_probes(probes));
	assert_true(pointcut_wants_functions(mixed));
	assert_true(pointcut_wants_arguments(mixed));
	assert_false(pointcut_wants_static_probes(within));
}

static void what_a_cflow_names_is_wanted_too(void **state)
{
	_cleanup_(pointcut_freep) struct pointcut *pointcut =
		parse("libm.so*:sin && !cflow(libx.so:solve(int) && !libz.so:a)");
	_cleanup_(pointcut_freep) struct pointcut *probes = parse("usdt(a:*) && cflow(libx.so:f)");
	_cleanup_(strings_done) struct strings modules = {}, names = {};

	(void)state;
	assert_true(pointcut_wants_module(pointcut, "/lib/libx.so.6", NULL));
	assert_true(pointcut_wants_module(pointcut, "/lib/libm.so.6", NULL));
	assert_false(pointcut_wants_module(pointcut, "/lib/libz.so.1", NULL));
	assert_false(pointcut_wants_all_modules(pointcut));
	assert_true(pointcut_wants_arguments(pointcut));
	assert_int_equal(pointcut_modules(pointcut, &modules), 0);
	assert_int_equal(modules.n_items, 2);
	assert_string_equal(modules.items[0], "libm.so*");
	assert_string_equal(modules.items[1], "libx.so");
	assert_int_equal(pointcut_name_globs(pointcut, &names), 0);
	assert_int_equal(names.n_items, 1);
	assert_string_equal(names.items[0], "sin");

	assert_true(pointcut_wants_functions(probes));
	assert_true(pointcut_wants_static_probes(probes));
	assert_true(pointcut_wants_all_modules(probes));
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
		cmocka_unit_test(and_binds_more_closely_than_or_and_not_most_of_all),
		cmocka_unit_test(all_names_of_a_function_are_asked_together),
		cmocka_unit_test(only_what_holds_names_the_function),
		cmocka_unit_test(regular_expressions_select_names),
		cmocka_unit_test(a_regular_expression_that_takes_too_long_is_an_error),
		cmocka_unit_test(execution_names_what_would_else_be_a_term),
		cmocka_unit_test(within_means_a_binary_or_a_class_by_what_it_looks_like),
		cmocka_unit_test(source_files_are_asked_for_only_where_it_depends_on_them),
		cmocka_unit_test(size_selects_by_the_bytes_of_code),
		cmocka_unit_test(static_probes_are_selected_by_their_name_alone),
		cmocka_unit_test(what_the_source_announces_is_annotated_too),
		cmocka_unit_test(python_functions_are_in_no_binary_but_that_which_tells_of_them),
		cmocka_unit_test(annotated_selects_what_the_source_marks),
		cmocka_unit_test(a_program_that_is_not_known_may_be_the_one),
		cmocka_unit_test(what_depends_on_the_process_or_the_caller_may_be_selected),
		cmocka_unit_test(a_user_is_named_or_numbered),
		cmocka_unit_test(what_is_printed_parses_to_the_same),
		cmocka_unit_test(any_tree_means_what_it_says_and_survives_printing),
		cmocka_unit_test(what_is_wanted_can_be_told_before_anything_is_read),
		cmocka_unit_test(what_a_cflow_names_is_wanted_too),
		cmocka_unit_test(modules_and_names_can_be_listed),
		cmocka_unit_test(a_module_that_is_not_meant_need_not_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
