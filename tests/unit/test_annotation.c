/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fixture.h"

#include <errno.h>

#include "binary/annotation.h"

static struct annotation parsed(const char *text)
{
	struct annotation annotation = {};
	struct why why = {};

	if (annotation_parse(text, &annotation, &why) != 0)
		fail_msg("%s", why.text);
	return annotation;
}

static void expect(const char *text, enum annotation_pointcut pointcut, enum annotation_flow flow,
		   const char *scope)
{
	_cleanup_(annotation_done) struct annotation annotation = parsed(text);

	assert_int_equal(annotation.pointcut, pointcut);
	assert_int_equal(annotation.flow, flow);
	if (scope)
		assert_string_equal(annotation.scope, scope);
	else
		assert_null(annotation.scope);
}

static void expect_fault(const char *text, const char *fault)
{
	struct annotation annotation = {.scope = (char *)"untouched"};
	struct why why = {};

	assert_int_equal(annotation_parse(text, &annotation, &why), -EINVAL);
	assert_string_equal(why.text, fault);
	assert_string_equal(annotation.scope, "untouched");
}

static void what_is_not_said_has_its_default(void **state)
{
	(void)state;
	expect("@critical_path()", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, NULL);
	expect("@critical_path(scope='io')", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "io");
	expect("@critical_path(flow='in')", ANNOTATION_AROUND, ANNOTATION_FLOW_IN, NULL);
}

static void all_pointcuts_and_flows_have_their_names(void **state)
{
	char text[128];

	(void)state;
	for (int i = 0; i < ANNOTATION_N_POINTCUTS; i++) {
		snprintf(text, sizeof(text), "@critical_path(pointcut='%s')",
			 annotation_pointcut_name((enum annotation_pointcut)i));
		expect(text, (enum annotation_pointcut)i, ANNOTATION_FLOW_NONE, NULL);
	}
	for (int i = 1; i < ANNOTATION_N_FLOWS; i++) {
		snprintf(text, sizeof(text), "@critical_path(flow='%s')",
			 annotation_flow_name((enum annotation_flow)i));
		expect(text, ANNOTATION_AROUND, (enum annotation_flow)i, NULL);
	}
	assert_null(annotation_flow_name(ANNOTATION_FLOW_NONE));
}

static void order_blanks_and_the_long_head_make_no_difference(void **state)
{
	(void)state;
	expect("@critical_path(pointcut='around_async', scope='io', flow='inout')",
	       ANNOTATION_AROUND_ASYNC, ANNOTATION_FLOW_INOUT, "io");
	expect("@perfflowaspect.aspect.critical_path(flow='inout',scope='io',pointcut='around_"
	       "async')",
	       ANNOTATION_AROUND_ASYNC, ANNOTATION_FLOW_INOUT, "io");
	expect("  @critical_path \t( scope = 'io' ,\tpointcut='around_async', flow ='inout' )\n",
	       ANNOTATION_AROUND_ASYNC, ANNOTATION_FLOW_INOUT, "io");
}

static void of_several_the_last_one_counts(void **state)
{
	(void)state;
	expect("@critical_path(pointcut='before', scope='a', pointcut='after', scope='b')",
	       ANNOTATION_AFTER, ANNOTATION_FLOW_NONE, "b");
	expect("@critical_path(pointcut='before')@critical_path(flow='out')", ANNOTATION_BEFORE,
	       ANNOTATION_FLOW_OUT, NULL);
}

static void what_means_nothing_is_passed_over(void **state)
{
	(void)state;
	expect("do trace: @critical_path(my pointcut = 'before';)", ANNOTATION_BEFORE,
	       ANNOTATION_FLOW_NONE, NULL);
}

static void any_text_may_be_a_scope(void **state)
{
	(void)state;
	expect("@critical_path(scope='')", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "");
	expect("@critical_path(scope='in')", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "in");
	expect("@critical_path(scope='around')", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "around");
	expect("@critical_path(scope='a, (b)=\"c\" pointcut @critical_path')", ANNOTATION_AROUND,
	       ANNOTATION_FLOW_NONE, "a, (b)=\"c\" pointcut @critical_path");
	expect("@critical_path(scope='it\\'s \\\\')", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE,
	       "it\\'s \\\\");
}

static void what_is_malformed_is_ignored_with_a_sentence(void **state)
{
	(void)state;
	expect_fault("@critical_path(pointcut='arond')",
		     "Ignoring @critical_path(pointcut='arond'): its pointcut is none of around, "
		     "before, after, around_async, "
		     "before_async and after_async");
	expect_fault(
		"@critical_path(flow='up')",
		"Ignoring @critical_path(flow='up'): its flow is none of in, out, inout and outin");
	expect_fault("@critical_path(pointcut=\"around\")",
		     "Ignoring @critical_path(pointcut=\"around\"): a value in single quotes is "
		     "expected at column 33, in place "
		     "of \")\"");
	expect_fault("@critical_path(point_cut='around')",
		     "Ignoring @critical_path(point_cut='around'): pointcut, scope, flow or ')' is "
		     "expected at column 25, in "
		     "place of \"=\"");
	expect_fault("@critical_path(pointcut='before' scope='foo')",
		     "Ignoring @critical_path(pointcut='before' scope='foo'): ',' or ')' is "
		     "expected at column 34, in place of "
		     "\"scope\"");
	expect_fault("@critical_path(scope='a',)",
		     "Ignoring @critical_path(scope='a',): pointcut, scope or flow is expected at "
		     "column 26, in place of \")\"");
	expect_fault("@critical_path", "Ignoring @critical_path: it ends where '(' is expected");
	expect_fault(
		"@critical_path(",
		"Ignoring @critical_path(: it ends where pointcut, scope, flow or ')' is expected");
	expect_fault("@critical_path())", "Ignoring @critical_path()): @critical_path or the end "
					  "is expected at column 17, in "
					  "place of \")\"");
	expect_fault("@critical_path(scope='io)",
		     "Ignoring @critical_path(scope='io): the quote at column 22 has no end");
	expect_fault("@critical_path(\n)", "Ignoring @critical_path(?): pointcut, scope, flow or "
					   "')' is expected at column 16, "
					   "in place of \"?\"");
}

static void texts_of_others_are_not_ours(void **state)
{
	(void)state;
	assert_true(annotation_is_ours("@critical_path("));
	assert_true(annotation_is_ours(" @perfflowaspect.aspect.critical_path()"));
	assert_false(annotation_is_ours("hot"));
	assert_false(annotation_is_ours("@critical _path()"));
	assert_false(annotation_is_ours("@aspect.critical_path()"));
	expect_fault("my own annotation",
		     "Ignoring my own annotation: it does not begin with @critical_path");
}

static void a_text_has_less_than_4096_bytes(void **state)
{
	static char text[5000];
	struct annotation annotation = {};
	struct why why = {};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "@critical_path(scope='", 22);
	memcpy(text + 4093, "')", 3);
	assert_int_equal(strlen(text), 4095);
	assert_int_equal(annotation_parse(text, &annotation, &why), 0);
	assert_int_equal(strlen(annotation.scope), 4071);
	annotation_done(&annotation);

	memcpy(text + 4093, "x')", 4);
	assert_int_equal(annotation_parse(text, &annotation, &why), -EINVAL);
	assert_non_null(strstr(why.text, "xxx...: it is longer than 4095 bytes"));
}

/* Each as gcc 12 and GNU as 2.40 leave it. */
static void what_the_assembler_garbles_is_understood(void **state)
{
	(void)state;
	expect("@critical_path(pointcut=97round41", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, NULL);
	expect("@critical_path(pointcut=98efore_async41", ANNOTATION_BEFORE_ASYNC,
	       ANNOTATION_FLOW_NONE, NULL);
	expect("@perfflowaspect.aspect.critical_path(flow=111utin41", ANNOTATION_AROUND,
	       ANNOTATION_FLOW_OUTIN, NULL);
	expect("@critical_path(scope=105o41", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "io");
	expect("@critical_path(scope=974141", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "a41");
	expect("@critical_path(scope=53)", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "5");
	expect("@critical_path(scope=39)", ANNOTATION_AROUND, ANNOTATION_FLOW_NONE, "");
	expect_fault("@critical_path(pointcut=97rond41",
		     "Ignoring @critical_path(pointcut=97rond41: its pointcut is none of around, "
		     "before, after, around_async, "
		     "before_async and after_async");
	expect_fault(
		"@critical_path(pointcut=9",
		"Ignoring @critical_path(pointcut=9: it ends where a value in single quotes is "
		"expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(all_pointcuts_and_flows_have_their_names),
		cmocka_unit_test(order_blanks_and_the_long_head_make_no_difference),
		cmocka_unit_test(of_several_the_last_one_counts),
		cmocka_unit_test(what_means_nothing_is_passed_over),
		cmocka_unit_test(any_text_may_be_a_scope),
		cmocka_unit_test(what_is_malformed_is_ignored_with_a_sentence),
		cmocka_unit_test(texts_of_others_are_not_ours),
		cmocka_unit_test(a_text_has_less_than_4096_bytes),
		cmocka_unit_test(what_the_assembler_garbles_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
