/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/aspect.h"

#define UNSAID -1

static void assert_aspect(const char *text, const char *pointcut, int returns)
{
	_cleanup_(aspect_freep) struct aspect *aspect = NULL;
	_cleanup_(text_done) struct text printed = {};
	struct why why = {};

	if (aspect_parse(text, &aspect, NULL, &why) != 0)
		fail_msg("'%s': %s", text, why.text);
	assert_int_equal(aspect->advice, ASPECT_AROUND);
	assert_int_equal(aspect->says_returns, returns != UNSAID);
	assert_int_equal(aspect->returns, returns == UNSAID ? SITE_MODE_AUTO : returns);
	assert_int_equal(pointcut_print(aspect->pointcut, &printed), 0);
	assert_string_equal(printed.data, pointcut);
}

static void a_pointcut_alone_is_an_aspect(void **state)
{
	(void)state;
	assert_aspect("solve", "solve", UNSAID);
	assert_aspect("a || b && !c", "a || b && !c", UNSAID);
	assert_aspect("(a || b) && c", "(a || b) && c", UNSAID);
	assert_aspect("(a)", "a", UNSAID);
}

static void advice_stands_before_a_parenthesis(void **state)
{
	(void)state;
	assert_aspect("around(solve)", "solve", UNSAID);
	assert_aspect(" around ( a || b ) ", "a || b", UNSAID);
	assert_aspect("around", "around", UNSAID);
	assert_aspect("before || after", "before || after", UNSAID);
	assert_aspect("execution(after(int))", "execution(after(int))", UNSAID);
	assert_aspect("ns::after(int)", "ns::after(int)", UNSAID);
}

static void options_stand_behind_a_parenthesis(void **state)
{
	(void)state;
	assert_aspect("around(f) returns=sites", "f", SITE_MODE_SITES);
	assert_aspect("(f) returns=probes", "f", SITE_MODE_PROBES);
	assert_aspect("(a || b)returns=never ", "a || b", SITE_MODE_NEVER);
	assert_aspect("around((a || b) && f(int)) returns=auto", "(a || b) && f(int)",
		      SITE_MODE_AUTO);
	assert_aspect("(a) && (b) returns=sites", "a && b", SITE_MODE_SITES);
}

static void an_error_says_what_was_expected_and_where(void **state)
{
	static const struct {
		const char *text;
		size_t column;
		const char *sentence;
	} cases[] = {
		{"", 0, "a function's name was expected, but the expression ends"},
		{"before(f)", 0,
		 "'around' is the advice of this version, 'before' is none; a function of that "
		 "name is asked for with "
		 "execution(before(*))"},
		{" around_async (f)", 1,
		 "'around' is the advice of this version, 'around_async' is none; a function of "
		 "that name is asked for "
		 "with execution(around_async(*))"},
		{"around(f", 6, "')' was expected, to close the '('"},
		{"around()", 7, "a function's name was expected, not ')'"},
		{"around(f) && g", 10, "an option (returns=) or the end was expected, not '&'"},
		{"around(f) min=10us", 10,
		 "an option (returns=) or the end was expected, not 'min'"},
		{"(f) returns=maybe", 12,
		 "'auto', 'sites', 'probes' or 'never' was expected after 'returns='"},
		{"(f) returns=auto,x", 16, "white space was expected, not ','"},
		{"f returns=auto", 9,
		 "no function's name has a '=' here; options stand behind a pointcut in "
		 "parentheses"},
		{"(f) | g", 4, "'&&', '||' or the end was expected, not '|'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aspect *aspect = NULL;
		struct why why = {};
		size_t column = 99;

		assert_int_equal(aspect_parse(cases[i].text, &aspect, &column, &why), -EINVAL);
		assert_string_equal(why.text, cases[i].sentence);
		assert_int_equal(column, cases[i].column);
		assert_null(aspect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pointcut_alone_is_an_aspect),
		cmocka_unit_test(advice_stands_before_a_parenthesis),
		cmocka_unit_test(options_stand_behind_a_parenthesis),
		cmocka_unit_test(an_error_says_what_was_expected_and_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
