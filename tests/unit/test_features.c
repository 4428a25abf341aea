/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/features.h"

static void a_feature_is_switched_off_by_its_whole_name_alone(void **state)
{
	(void)state;
	setenv("PERFFLOW_DISABLE", "uprobe_session, gate", 1);
	assert_true(feature_is_disabled(FEATURE_UPROBE_SESSION));
	assert_true(feature_is_disabled(FEATURE_GATE));
	assert_false(feature_is_disabled(FEATURE_UPROBE_MULTI));
	setenv("PERFFLOW_DISABLE", "uprobe_sessions,uprobe,xgate", 1);
	assert_false(feature_is_disabled(FEATURE_UPROBE_SESSION));
	assert_false(feature_is_disabled(FEATURE_GATE));
}

static void a_feature_that_is_switched_off_is_not_there(void **state)
{
	(void)state;
	setenv("PERFFLOW_DISABLE", "uprobe_multi", 1);
	assert_int_equal(feature_probe(FEATURE_UPROBE_MULTI), 0);
	assert_false(feature_is_there(FEATURE_UPROBE_MULTI));
}

static void names_that_can_be_switched_off_are_taken(void **state)
{
	static const char *const lists[] = {
		"", ",", "gate", "gate,", " tp_btf ,attach_cookies", "multi_pid_filter"};
	struct why why = {0};

	(void)state;
	unsetenv("PERFFLOW_DISABLE");
	assert_int_equal(features_check_disabled(&why), 0);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		setenv("PERFFLOW_DISABLE", lists[i], 1);
		assert_int_equal(features_check_disabled(&why), 0);
	}
}

static void a_name_that_nobody_knows_is_refused_with_those_that_are_known(void **state)
{
	struct why why = {0};

	(void)state;
	setenv("PERFFLOW_DISABLE", "gate,multi", 1);
	assert_int_equal(features_check_disabled(&why), -EINVAL);
	assert_non_null(strstr(why.text, "'multi'"));
	assert_non_null(strstr(why.text, "uprobe_multi"));
	/* nothing replaces it */
	setenv("PERFFLOW_DISABLE", "ring_buffers", 1);
	assert_int_equal(features_check_disabled(NULL), -EINVAL);
}

static void a_kernel_without_attach_cookies_is_refused_with_a_sentence(void **state)
{
	struct why why = {0};

	(void)state;
	if (!feature_is_there(FEATURE_BTF))
		skip();
	setenv("PERFFLOW_DISABLE", "attach_cookies", 1);
	assert_int_equal(features_check_needed(&why), -EOPNOTSUPP);
	assert_string_equal(why.text,
			    "this kernel lacks BPF attach cookies (Linux 5.15 is needed)");
}

static void a_function_of_ours_is_found_in_our_file(void **state)
{
	unsigned long offset = 0;

	(void)state;
	assert_int_equal(features_own_offset(abort, &offset),
			 0); /* in another file, but mapped too */
	assert_int_equal(features_own_offset((void (*)(void))16, &offset), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_feature_is_switched_off_by_its_whole_name_alone),
		cmocka_unit_test(a_feature_that_is_switched_off_is_not_there),
		cmocka_unit_test(names_that_can_be_switched_off_are_taken),
		cmocka_unit_test(a_name_that_nobody_knows_is_refused_with_those_that_are_known),
		cmocka_unit_test(a_kernel_without_attach_cookies_is_refused_with_a_sentence),
		cmocka_unit_test(a_function_of_ours_is_found_in_our_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
