/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "probe/aspect.h"

#define UNSAID -1

static struct aspect *parse(const char *text)
{
	struct aspect *aspect = NULL;
	struct why why = {};

	if (aspect_parse(text, &aspect, NULL, &why) != 0)
		fail_msg("'%s': %s", text, why.text);
	return aspect;
}

static void assert_aspect(const char *text, const char *pointcut, int returns)
{
	_cleanup_(aspect_freep) struct aspect *aspect = parse(text);
	_cleanup_(text_done) struct text printed = {};

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

static void there_are_six_kinds_of_advice(void **state)
{
	static const struct {
		const char *text;
		enum aspect_advice advice;
		bool is_async, sees_entry, sees_return;
	} cases[] = {
		{"around(f)", ASPECT_AROUND, false, true, true},
		{"before(f)", ASPECT_BEFORE, false, true, false},
		{"after (f)", ASPECT_AFTER, false, false, true},
		{"around_async(f)", ASPECT_AROUND_ASYNC, true, true, true},
		{" before_async(f)", ASPECT_BEFORE_ASYNC, true, true, false},
		{"after_async(f)", ASPECT_AFTER_ASYNC, true, false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = parse(cases[i].text);

		assert_int_equal(aspect->advice, cases[i].advice);
		assert_int_equal(aspect_is_async(aspect), cases[i].is_async);
		assert_int_equal(aspect_sees_entry(aspect), cases[i].sees_entry);
		assert_int_equal(aspect_sees_return(aspect), cases[i].sees_return);
		assert_int_equal(aspect->id, ASPECT_ID_TID);
		assert_int_equal(aspect->name_value, -1);
	}
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

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{"(f) min=7ns", 7},
		{"(f) min=10us", 10000},
		{"(f) min=5ms", 5000000},
		{"(f) min=\"2s\"", 2000000000},
		{"(f) min=18446744073709551614ns", UINT64_MAX - 1},
		{"(f)", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = parse(cases[i].text);

		assert_int_equal(aspect->min_ns, cases[i].ns);
	}
}

static void options_come_in_any_order(void **state)
{
	_cleanup_(aspect_freep) struct aspect *aspect =
		parse("around_async(f) stack\tid=arg2 cat='my work' sample=1/100\n name=\"read "
		      "\\\"it\\\"\" "
		      "ret=i64 args=*");

	(void)state;
	assert_true(aspect->with_stack);
	assert_int_equal(aspect->id, ASPECT_ID_ARGUMENT);
	assert_int_equal(aspect->id_value.position, 2);
	assert_string_equal(aspect->category, "my work");
	assert_int_equal(aspect->sample, 100);
	assert_string_equal(aspect->name, "read \"it\"");
	assert_int_equal(aspect->name_value, -1);
	assert_true(aspect->has_ret);
	assert_int_equal(aspect->ret.type, ASPECT_TYPE_I64);
	assert_true(aspect->all_args);
	assert_int_equal(aspect->n_args, 0);
}

static void quotes_and_backslashes_keep_what_is_in_them(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"(f) name=read", "read"},
		{"(f) name=\"read file\"", "read file"},
		{"(f) name='read \"file\"'", "read \"file\""},
		{"(f) name='it\\'s'", "it's"},
		{"(f) name=read\\ file", "read file"},
		{"(f) name=read' the 'file", "read the file"},
		{"(f) name=\"a\\\\b\"", "a\\b"},
		{"(f) name=f(x)", "f(x)"},
		{"(f) name=\\{x}", "{x}"},
		{"(f) name=\"\\{x}\"", "{x}"},
		{"(f) name={x", "{x"},
		{"(f) name=x}", "x}"},
		{"(f) name=R:\\{x}", "R:{x}"},
		{"(f) name='\\{x} \\{y}'", "{x} {y}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = parse(cases[i].text);

		assert_string_equal(aspect->name, cases[i].name);
		assert_int_equal(aspect->name_value, -1);
	}
}

static void assert_value(const struct aspect_value *value, const char *name, enum aspect_type type,
			 unsigned int position)
{
	if (name)
		assert_string_equal(value->name, name);
	else
		assert_null(value->name);
	assert_int_equal(value->type, type);
	assert_int_equal(value->position, position);
}

static void arguments_are_captured_by_name_or_position(void **state)
{
	_cleanup_(aspect_freep) struct aspect *aspect =
		parse("before(f) args=(count:i32@2, path:str[256], size ,@1, x : *f64 @ 3,\n "
		      "y@4:string, :u8@5, n:**i64)");
	const struct aspect_value *args = aspect->args;

	(void)state;
	assert_int_equal(aspect->n_args, 8);
	assert_value(&args[0], "count", ASPECT_TYPE_I32, 2);
	assert_int_equal(args[0].max_bytes, 0);
	assert_value(&args[1], "path", ASPECT_TYPE_STR, 0);
	assert_int_equal(args[1].max_bytes, 256);
	assert_value(&args[2], "size", ASPECT_TYPE_AUTO, 0);
	assert_int_equal(args[2].max_bytes, 64);
	assert_value(&args[3], NULL, ASPECT_TYPE_AUTO, 1);
	assert_value(&args[4], "x", ASPECT_TYPE_F64, 3);
	assert_int_equal(args[4].n_dereferences, 1);
	assert_value(&args[5], "y", ASPECT_TYPE_STRING, 4);
	assert_int_equal(args[5].max_bytes, 64);
	assert_value(&args[6], NULL, ASPECT_TYPE_U8, 5);
	assert_value(&args[7], "n", ASPECT_TYPE_I64, 0);
	assert_int_equal(args[7].n_dereferences, 2);
	assert_false(aspect->all_args);
}

static void every_type_has_a_name(void **state)
{
	static const char *const names[] = {"i8",   "i16",  "i32", "i64", "u8",
					    "u16",  "u32",  "u64", "f32", "f64",
					    "bool", "char", "ptr", "str", "string"};
	char text[64];

	(void)state;
	assert_int_equal(ARRAY_SIZE(names), ASPECT_N_TYPES - 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = NULL;

		snprintf(text, sizeof(text), "after(f) ret=%s args=(a:%s)", names[i], names[i]);
		aspect = parse(text);
		assert_int_equal(aspect->ret.type, i + 1);
		assert_int_equal(aspect->args[0].type, i + 1);
		assert_string_equal(aspect_type_name(i + 1), names[i]);
	}
}

static void what_is_returned_may_be_of_the_type_that_debug_information_has(void **state)
{
	_cleanup_(aspect_freep) struct aspect *known = parse("(f) ret=*"),
					      *told = parse("(f) ret=*str[8]");

	(void)state;
	assert_true(known->has_ret);
	assert_int_equal(known->ret.type, ASPECT_TYPE_AUTO);
	assert_int_equal(known->ret.n_dereferences, 0);
	assert_int_equal(told->ret.type, ASPECT_TYPE_STR);
	assert_int_equal(told->ret.n_dereferences, 1);
	assert_int_equal(told->ret.max_bytes, 8);
}

static void an_id_that_is_captured_too_is_read_in_the_same_way(void **state)
{
	_cleanup_(aspect_freep) struct aspect *
		named = parse("before_async(f) id=request args=(request:*u32@7)"),
	       *numbered = parse("after_async(f) args=(request:ptr@1) id=arg1"),
	       *own = parse("after_async(f) args=(request:ptr@1) id=handle"),
	       *returned = parse("after_async(f) id=ret"), *thread = parse("after_async(f) id=tid"),
	       *late = parse("before_async(f) id=ret ret=i32 returns=sites");

	(void)state;
	assert_value(&named->id_value, "request", ASPECT_TYPE_U32, 7);
	assert_int_equal(named->id_value.n_dereferences, 1);
	assert_value(&numbered->id_value, NULL, ASPECT_TYPE_PTR, 1);
	assert_value(&own->id_value, "handle", ASPECT_TYPE_AUTO, 0);
	assert_int_equal(returned->id, ASPECT_ID_RETURN);
	assert_int_equal(thread->id, ASPECT_ID_TID);
	assert_true(aspect_begins_late(late) && aspect_sees_return(late));
	assert_false(aspect_begins_late(returned) || aspect_begins_late(named));
}

static void moments_with_an_id_are_of_asynchronous_work(void **state)
{
	_cleanup_(aspect_freep) struct aspect *step = parse("before(f) id=arg1"),
					      *returned = parse("after(f) id=ret"),
					      *thread = parse("after(f) id=tid"),
					      *plain = parse("after(f)"),
					      *end = parse("after_async(f) id=tid");

	(void)state;
	assert_true(step->is_instant && returned->is_instant && thread->is_instant);
	assert_false(plain->is_instant || end->is_instant);
	assert_int_equal(returned->id, ASPECT_ID_RETURN);
	assert_false(aspect_records_the_same(thread, plain));
}

static void a_captured_argument_may_tell_the_name(void **state)
{
	_cleanup_(aspect_freep) struct aspect *named = parse(
						      "(f) name={path} args=(size, path:str@2)"),
					      *quoted = parse(
						      "(f) name='{path}' args=(size, path:str@2)"),
					      *numbered =
						      parse("(f) args=(@3, path:str@2) name={2}");

	(void)state;
	assert_int_equal(named->name_value, 1);
	assert_null(named->name);
	assert_int_equal(quoted->name_value, 1);
	assert_int_equal(numbered->name_value, 1);
}

static void aspects_that_differ_in_the_pointcut_alone_record_the_same(void **state)
{
	static const char *const others[] = {
		"around(g)",
		"before(g) args=(a, b:str)",
		"around(g) args=(a, b:str[65])",
		"around(g) args=(a, b:str) ret=*",
		"around(g) args=(a, b:str) min=1us",
		"around(g) args=(a, b:str) sample=1/2",
		"around(g) args=(a, b:str) stack",
		"around(g) args=(a, b:str) name=x",
		"around(g) args=(a, b:str) name={a}",
		"around(g) args=(a, b:str) cat=x",
		"around(g) args=(a, b:str) returns=sites",
		"around(g) args=(b:str, a)",
		"around(g) args=*",
	};
	_cleanup_(aspect_freep) struct aspect *one = parse("around(f) args=(a, b:str)"),
					      *same = parse("(h) args=(a,b:str[64])");

	(void)state;
	assert_true(aspect_records_the_same(one, same));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		_cleanup_(aspect_freep) struct aspect *other = parse(others[i]);

		assert_false(aspect_records_the_same(one, other));
	}
}

static void what_is_printed_parses_to_the_same(void **state)
{
	static const char *const cases[] = {
		"around(f)",
		"before_async(f) returns=sites id=ret",
		"after(f) id=tid",
		"before(f) id=arg2",
		"before(a || b && !c)",
		"around(f) returns=sites min=10us sample=1/100",
		"around(f) min=1001ns",
		"around(f) min=3600s",
		"around_async(f && cflow(g)) args=(count:i32@2, path:str, @1, :*f64@3, "
		"s:string[9]) ret=*i64 id=count",
		"after_async(f) id=ret name=\"a \\\"b\\\" \\\\ 'c'\" cat=\"x y\" stack",
		"before_async(f) args=* id=arg12",
		"before(f) args=(path:str) name={path}",
		"before(f) args=(@2) name={2}",
		"before(f) name=\"\\{path}\"",
		"before(f) name=\"R:\\{path}\"",
		"after(f) ret=*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(aspect_freep) struct aspect *aspect = parse(cases[i]), *again = NULL;
		_cleanup_(text_done) struct text text = {};

		assert_int_equal(aspect_print(aspect, &text), 0);
		assert_string_equal(text.data, cases[i]);
		again = parse(text.data);
		assert_true(aspect_records_the_same(aspect, again));
	}
}

static void an_error_says_what_was_expected_and_where(void **state)
{
#define EXPECTED_MIN                                                                               \
	"a duration was expected after 'min=', as in min=10us, with the unit 'ns', 'us', 'ms' or " \
	"'s'"
#define EXPECTED_WHOLE                                                                             \
	"an argument is the whole name, as in name={path}; '\\{' is a brace in a text"
#define EXPECTED_SAMPLE                                                                            \
	"'1/' and a number up to 4294967295 were expected after 'sample=', as in sample=1/100"
#define EXPECTED_ARGUMENT "an argument was expected, as count, path:str, @1 or count:i32@2"
#define EXPECTED_TYPE                                                                              \
	"a type was expected: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool char ptr str string, or " \
	"'*' and a type"
#define EXPECTED_ID "'tid', 'ret', 'arg1' or the name of an argument was expected after 'id='"
	static const struct {
		const char *text;
		size_t column;
		const char *sentence;
	} cases[] = {
		{"", 0, "a function's name was expected, but the expression ends"},
		{"around(f", 6, "')' was expected, to close the '('"},
		{"around()", 7, "a function's name was expected, not ')'"},
		{"around(f) && g", 10,
		 "an option (min= sample= args= ret= id= name= cat= returns= stack) or the end was "
		 "expected, not '&'"},
		{"around(f) max=10us", 10,
		 "an option (min= sample= args= ret= id= name= cat= returns= stack) or the end was "
		 "expected, not 'max'"},
		{"around(f) min", 10,
		 "an option (min= sample= args= ret= id= name= cat= returns= stack) or the end was "
		 "expected, not 'min'"},
		{"(f) returns=maybe", 12,
		 "'auto', 'sites', 'probes' or 'never' was expected after 'returns='"},
		{"(f) returns=auto,x", 12,
		 "'auto', 'sites', 'probes' or 'never' was expected after 'returns='"},
		{"f returns=auto", 9,
		 "no function's name has a '=' here; options stand behind a pointcut in "
		 "parentheses"},
		{"(f) | g", 4, "'&&', '||' or the end was expected, not '|'"},
		{"(f) min=1s min=2s", 11, "'min' is said twice"},
		{"(f) stack args=* stack", 17, "'stack' is said twice"},
		{"(f) stack=1", 9, "white space was expected, not '='"},
		{"(f) min=", 8, EXPECTED_MIN},
		{"(f) min=10", 10, EXPECTED_MIN},
		{"(f) min=10 us", 10, EXPECTED_MIN},
		{"(f) min=1.5ms", 9, EXPECTED_MIN},
		{"(f) min='10 us'", 11, EXPECTED_MIN},
		{"(f) min=99999999999999999999999ns", 8, EXPECTED_MIN},
		{"(f) min=99999999999s", 8, "'99999999999s' is longer than any call"},
		{"(f) min=0us", 8, "a duration above 0 was expected after 'min='"},
		{"(f) sample=100", 11, EXPECTED_SAMPLE},
		{"(f) sample=1/0", 11, EXPECTED_SAMPLE},
		{"(f) sample=1/4294967296", 11, EXPECTED_SAMPLE},
		{"(f) sample=1/2x", 11, EXPECTED_SAMPLE},
		{"(f) args=count", 9,
		 "'*' or '(' was expected after 'args=', as in args=(count, path:str@1)"},
		{"(f) args=()", 10, EXPECTED_ARGUMENT},
		{"(f) args=(a,)", 12, EXPECTED_ARGUMENT},
		{"(f) args=(:i32)", 10, EXPECTED_ARGUMENT},
		{"(f) args=(1)", 10, EXPECTED_ARGUMENT},
		{"(f) args=(a", 9, "')' was expected, to close the '('"},
		{"(f) args=(a b)", 12, "',' or ')' was expected"},
		{"(f) args=(a:i32:i64)", 15, "',' or ')' was expected"},
		{"(f) args=(a)b", 12, "white space was expected, not 'b'"},
		{"(f) args=(a:int)", 12, EXPECTED_TYPE},
		{"(f) args=(a:*)", 13, EXPECTED_TYPE},
		{"(f) args=(a:*****i8)", 16, "an address can be followed 4 times"},
		{"(f) args=(a:i8[3])", 14, "only str and string take a number of bytes"},
		{"(f) args=(a:str[0])", 17,
		 "a number of bytes from 1 to 256 was expected after '['"},
		{"(f) args=(a:str[257])", 19,
		 "a number of bytes from 1 to 256 was expected after '['"},
		{"(f) args=(a:str[7)", 17, "']' was expected, to close the '['"},
		{"(f) args=(a@0)", 13, "a position from 1 to 64 was expected after '@'"},
		{"(f) args=(a@x)", 12, "a position from 1 to 64 was expected after '@'"},
		{"(f) args=(a, b, a:str)", 16, "'a' stands twice in 'args='"},
		{"(f) args=(a,b,c,d,e,f,g,h,i,j,k,l,m)", 34,
		 "12 values can be captured, this is one more"},
		{"(f) ret=* args=(a,b,c,d,e,f,g,h,i,j,k,l)", 10,
		 "12 values can be captured, with 'ret=' and 'id=' these are 13"},
		{"after_async(f) ret=i32 args=(a,b,c,d,e,f,g,h,i,j,k) id=z", 23,
		 "12 values can be captured, with 'ret=' and 'id=' these are 13"},
		{"(f) ret=", 8, EXPECTED_TYPE},
		{"(f) ret=i32,", 11, "white space was expected, not ','"},
		{"before_async(f) id=", 19, EXPECTED_ID},
		{"before_async(f) id=1", 19, EXPECTED_ID},
		{"before_async(f) id=a.b", 19, EXPECTED_ID},
		{"before_async(f) id=p args=(p:str)", 16,
		 "an id is a whole number or an address, not a 'str'"},
		{"(f) name=", 9, "a name was expected after 'name='"},
		{"(f) name=''", 11, "a name was expected after 'name='"},
		{"(f) cat=\"\"", 10, "a category was expected after 'cat='"},
		{"(f) cat=__sched", 8, "categories that begin with '__' are perfflow's own"},
		{"(f) name=\"a b", 9, "a second \" was expected, to end the text"},
		{"(f) name=a\\", 10, "a character was expected after '\\'"},
		{"(f) name={path} args=(count)", 4,
		 "'path' is not in 'args=(...)', from where 'name=' would take it"},
		{"(f) name={} args=(count)", 4,
		 "'' is not in 'args=(...)', from where 'name=' would take it"},
		{"(f) name={2} args=(count@1)", 4,
		 "'2' is not in 'args=(...)', from where 'name=' would take it"},
		{"(f) name=R:{x} args=(x)", 11, EXPECTED_WHOLE},
		{"(f) name='{x} of {y}' args=(x, y)", 10, EXPECTED_WHOLE},
		{"(f) name=\"{x} \" args=(x)", 10, EXPECTED_WHOLE},
		{"(f) name=\\{a}{x} args=(x)", 13, EXPECTED_WHOLE},
		{"before(f) min=1us", 10,
		 "'min=' is for 'around', which knows how long a call took, not for 'before'"},
		{"around_async(f) min=1us", 16,
		 "'min=' is for 'around', which knows how long a call took, not for "
		 "'around_async'"},
		{"(f) min=1us returns=never", 4,
		 "'min=' needs the return, which 'returns=never' does not see"},
		{"(f) id=arg1", 4,
		 "'id=' is for asynchronous events and for moments of them, which 'before' and "
		 "'after' record, not for 'around'"},
		{"around_async(f) id=ret", 16,
		 "'id=ret' is for 'before_async', 'after_async' and 'after': 'around_async' tells "
		 "of the entry at once, when it is not known"},
		{"before(f) id=ret", 10,
		 "'id=ret' is for 'before_async', 'after_async' and 'after': 'before' tells of the "
		 "entry at once, when it is not known"},
		{"before_async(f) id=ret returns=never", 23,
		 "'before_async' needs the return, which 'returns=never' does not see"},
		{"before(f) ret=i32", 10, "'ret=' needs the return, which 'before' does not see"},
		{"before_async(f) ret=*", 16,
		 "'ret=' needs the return, which 'before_async' does not see"},
		{"(f) ret=* returns=never", 4,
		 "'ret=' needs the return, which 'returns=never' does not see"},
		{"after_async(f) sample=1/2", 15,
		 "'sample=' is not for 'after_async': events would miss their other half"},
		{"before(f) returns=sites", 10,
		 "'returns=' says how the return is seen, which 'before' does not need"},
		{"after(f) returns=never", 9,
		 "'after' needs the return, which 'returns=never' does not see"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aspect *aspect = NULL;
		struct why why = {};
		size_t column = 99;

		assert_int_equal(aspect_parse(cases[i].text, &aspect, &column, &why), -EINVAL);
		if (strcmp(why.text, cases[i].sentence) != 0 || column != cases[i].column)
			fail_msg("'%s': at %zu: %s", cases[i].text, column, why.text);
		assert_null(aspect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pointcut_alone_is_an_aspect),
		cmocka_unit_test(advice_stands_before_a_parenthesis),
		cmocka_unit_test(there_are_six_kinds_of_advice),
		cmocka_unit_test(options_stand_behind_a_parenthesis),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(options_come_in_any_order),
		cmocka_unit_test(quotes_and_backslashes_keep_what_is_in_them),
		cmocka_unit_test(arguments_are_captured_by_name_or_position),
		cmocka_unit_test(every_type_has_a_name),
		cmocka_unit_test(what_is_returned_may_be_of_the_type_that_debug_information_has),
		cmocka_unit_test(an_id_that_is_captured_too_is_read_in_the_same_way),
		cmocka_unit_test(moments_with_an_id_are_of_asynchronous_work),
		cmocka_unit_test(a_captured_argument_may_tell_the_name),
		cmocka_unit_test(aspects_that_differ_in_the_pointcut_alone_record_the_same),
		cmocka_unit_test(what_is_printed_parses_to_the_same),
		cmocka_unit_test(an_error_says_what_was_expected_and_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
