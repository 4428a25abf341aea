/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/varlink.h"
#include "util/cleanup.h"

static int parse(const char *message, struct varlink_call *ret_call)
{
	return varlink_parse_call(message, strlen(message), ret_call);
}

static void a_call_has_its_method_parameters_and_flags(void **state)
{
	_cleanup_(varlink_call_done) struct varlink_call call = {0};
	struct json_object *id;

	(void)state;
	assert_int_equal(
		parse("{\"method\":\"io.perfflow.Stop\",\"parameters\":{\"id\":7},\"more\":true}",
		      &call),
		0);
	assert_string_equal(call.method, "io.perfflow.Stop");
	assert_true(json_object_object_get_ex(call.parameters, "id", &id));
	assert_int_equal(json_object_get_int(id), 7);
	assert_true(call.more);
	assert_false(call.oneway);
}

static void a_call_without_parameters_has_an_empty_object(void **state)
{
	_cleanup_(varlink_call_done) struct varlink_call call = {0};
	_cleanup_(varlink_call_done) struct varlink_call null_call = {0};

	(void)state;
	assert_int_equal(parse("{\"method\":\"a.B\"}", &call), 0);
	assert_int_equal(json_object_object_length(call.parameters), 0);
	assert_int_equal(
		parse("{\"method\":\"a.B\",\"parameters\":null,\"more\":null}", &null_call), 0);
	assert_int_equal(json_object_object_length(null_call.parameters), 0);
}

static void members_that_varlink_does_not_know_are_ignored(void **state)
{
	_cleanup_(varlink_call_done) struct varlink_call call = {0};

	(void)state;
	assert_int_equal(parse(" {\"method\":\"a.B\",\"colour\":[1,{}]}\n", &call), 0);
}

static void text_need_not_be_ascii(void **state)
{
	_cleanup_(varlink_call_done) struct varlink_call call = {0};
	struct json_object *path;

	(void)state;
	assert_int_equal(parse("{\"method\":\"a.B\",\"parameters\":{\"path\":\"\xc3\xa9\"}}", &call), 0);
	assert_true(json_object_object_get_ex(call.parameters, "path", &path));
	assert_string_equal(json_object_get_string(path), "\xc3\xa9");
}

static void what_is_no_call_is_refused(void **state)
{
	static const char *const messages[] = {
		"",
		"{",
		"[]",
		"7",
		"null",
		"{}",
		"{\"method\":7}",
		"{\"method\":null}",
		"{\"method\":\"a.B\"",
		"{\"method\":\"a.B\"}}",
		"{\"method\":\"a.B\"} {}",
		"{\"method\":\"a.B\",}",
		"{'method':'a.B'}",
		"{\"method\":\"a.B\",\"more\":True}",
		"{\"method\":\"a.B\" /* that */}",
		"{\"method\":\"a.B\"} /* that */",
		"{\"method\":\"a.B\",\"parameters\":{\"x\":\"\t\"}}",
		"{\"method\":\"a.B\\u0000.C\"}",
		"{\"method\":\"a.B\",\"parameters\":[]}",
		"{\"method\":\"a.B\",\"parameters\":\"x\"}",
		"{\"method\":\"a.B\",\"more\":1}",
		"{\"method\":\"a.B\",\"oneway\":\"yes\"}",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"a.B\",\"upgrade\":true}",
		"{\"method\":\"a.B\",\"parameters\":{\"x\":\"\xff\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct varlink_call call = {0};

		if (parse(messages[i], &call) != -EBADMSG)
			fail_msg("was not refused: %s", messages[i]);
	}
}

static void deep_nesting_is_refused(void **state)
{
	struct varlink_call call = {0};
	char message[4096] = "{\"method\":\"a.B\",\"parameters\":{\"x\":";
	size_t start = strlen(message);

	(void)state;
	memset(message + start, '[', 2000);
	memset(message + start + 2000, ']', 2000 - start);
	assert_int_equal(varlink_parse_call(message, sizeof(message) - 1, &call), -EBADMSG);
}

static void a_reply_ends_with_a_zero_byte(void **state)
{
	_cleanup_(text_done) struct text text = {0};
	struct json_object *parameters = json_object_new_object();

	(void)state;
	json_object_object_add(parameters, "id", json_object_new_int(7));
	assert_int_equal(varlink_write_reply(&text, NULL, parameters, false), 0);
	assert_int_equal(varlink_write_reply(&text, NULL, NULL, true), 0);
	json_object_put(parameters);

	assert_memory_equal(text.data,
			    "{\"parameters\":{\"id\":7}}\0"
			    "{\"parameters\":{},\"continues\":true}",
			    text.size);
	assert_int_equal(text.data[text.size - 1], '\0');
}

static void an_error_is_written_with_its_parameters(void **state)
{
	_cleanup_(text_done) struct text text = {0};
	struct json_object *parameters = json_object_new_object();

	(void)state;
	json_object_object_add(parameters, "path", json_object_new_string("/a/\"b\""));
	assert_int_equal(varlink_write_reply(&text, "io.perfflow.Failed", parameters, false), 0);
	json_object_put(parameters);

	assert_string_equal(
		text.data,
		"{\"error\":\"io.perfflow.Failed\",\"parameters\":{\"path\":\"/a/\\\"b\\\"\"}}");
}

static void a_method_is_split_at_its_last_dot(void **state)
{
	size_t length = 0;

	(void)state;
	assert_int_equal(varlink_split_method("io.perfflow.Start", &length), 0);
	assert_int_equal(length, strlen("io.perfflow"));
	assert_int_equal(varlink_split_method("Start", &length), -EINVAL);
	assert_int_equal(varlink_split_method(".Start", &length), -EINVAL);
	assert_int_equal(varlink_split_method("io.perfflow.", &length), -EINVAL);
	assert_int_equal(varlink_split_method("", &length), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_has_its_method_parameters_and_flags),
		cmocka_unit_test(a_call_without_parameters_has_an_empty_object),
		cmocka_unit_test(members_that_varlink_does_not_know_are_ignored),
		cmocka_unit_test(text_need_not_be_ascii),
		cmocka_unit_test(what_is_no_call_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_reply_ends_with_a_zero_byte),
		cmocka_unit_test(an_error_is_written_with_its_parameters),
		cmocka_unit_test(a_method_is_split_at_its_last_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
