/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What was captured, as it stands in args. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "trace_fixture.h"

static const char *const hw_names[] = {"cycles", "cache_misses", NULL};

static int symbolize(void *opaque, uint32_t pid, uint64_t time_ns, uint64_t address,
		     struct text *ret)
{
	assert_int_equal(time_ns, 1000);
	if (address == 0xbad)
		return -ENOENT;
	return text_printf(ret, "%s\"%u\"+0x%llx", (const char *)opaque, pid,
			   (unsigned long long)address);
}

static void trace_open(struct trace *trace)
{
	const struct sink_start start = {
		.version = "0", .host = "n01", .boot_id = "b", .hw_names = hw_names};

	trace_open_as(trace, &start);
}

static struct record make_span(void)
{
	return (struct record){.event = {.span = {.event = {.size = sizeof(struct pf_span),
							    .kind = PF_EVENT_SPAN,
							    .joinpoint = 3,
							    .time_ns = 1000,
							    .pid = 100,
							    .tid = 101}}}};
}

/* What of the last line's args stands behind the times. */
static const char *values_of(struct trace *trace)
{
	const char *line = trace_line(trace), *values = strstr(line, "\"blocked_us\":0.000");

	if (!values)
		fail_msg("no times in %s", line);
	return values + strlen("\"blocked_us\":0.000");
}

static void send(struct trace *trace, const struct record *record, const struct sink_label *label)
{
	assert_int_equal(trace->sink->ops->span(trace->sink, &record->event, label), 0);
}

/* One argument of that format. */
static void check_item(enum sink_format format, struct pf_item item, const void *bytes,
		       const char *expected)
{
	const struct sink_value value = {.name = "x", .format = format};
	const struct sink_label label = {
		.name = "f", .category = "c", .values = &value, .n_values = 1, .name_value = -1, .category_value = -1};
	struct record record = make_span();
	struct trace trace = {};

	item.kind = PF_ITEM_ARGUMENT;
	put_item(&record, item, bytes);
	trace_open(&trace);
	send(&trace, &record, &label);
	assert_string_equal(values_of(&trace), expected);
	trace_close(&trace);
}

static void check(enum sink_format format, const void *bytes, size_t size, const char *expected)
{
	check_item(format, (struct pf_item){.size = size}, bytes, expected);
}

#define CHECK(format, type, value, expected)                                                       \
	check((format), &(type){(value)}, sizeof(type), (expected))

static void numbers_keep_their_size_and_sign(void **state)
{
	(void)state;
	CHECK(SINK_SIGNED, int8_t, -128, ",\"x\":-128}}");
	CHECK(SINK_SIGNED, int16_t, -2, ",\"x\":-2}}");
	CHECK(SINK_SIGNED, int32_t, INT32_MIN, ",\"x\":-2147483648}}");
	CHECK(SINK_SIGNED, int64_t, 0, ",\"x\":0}}");
	CHECK(SINK_UNSIGNED, uint8_t, 255, ",\"x\":255}}");
	CHECK(SINK_UNSIGNED, uint32_t, UINT32_MAX, ",\"x\":4294967295}}");
	check(SINK_SIGNED, "\xff\xff\xff", 3, ",\"x\":-1}}");
	check(SINK_UNSIGNED, "\1\2\3", 3, ",\"x\":197121}}");
}

static void numbers_that_a_browser_would_round_are_text(void **state)
{
	(void)state;
	CHECK(SINK_SIGNED, int64_t, 9007199254740992, ",\"x\":9007199254740992}}");
	CHECK(SINK_SIGNED, int64_t, 9007199254740993, ",\"x\":\"9007199254740993\"}}");
	CHECK(SINK_SIGNED, int64_t, -9007199254740993, ",\"x\":\"-9007199254740993\"}}");
	CHECK(SINK_SIGNED, int64_t, INT64_MIN, ",\"x\":\"-9223372036854775808\"}}");
	CHECK(SINK_UNSIGNED, uint64_t, UINT64_MAX, ",\"x\":\"18446744073709551615\"}}");
}

static void floating_point_reads_back_as_the_same_number(void **state)
{
	(void)state;
	CHECK(SINK_FLOAT, double, 0.1, ",\"x\":0.1}}");
	CHECK(SINK_FLOAT, double, 0.1 + 0.2, ",\"x\":0.30000000000000004}}");
	CHECK(SINK_FLOAT, double, -1e300, ",\"x\":-1e+300}}");
	CHECK(SINK_FLOAT, float, 0.1f, ",\"x\":0.1}}");
	CHECK(SINK_FLOAT, float, 16777216, ",\"x\":16777216}}");
}

static void what_is_no_number_is_text(void **state)
{
	(void)state;
	CHECK(SINK_FLOAT, double, NAN, ",\"x\":\"NaN\"}}");
	CHECK(SINK_FLOAT, double, INFINITY, ",\"x\":\"Infinity\"}}");
	CHECK(SINK_FLOAT, float, -INFINITY, ",\"x\":\"-Infinity\"}}");
}

static void pointers_truths_and_characters_have_their_own_form(void **state)
{
	(void)state;
	CHECK(SINK_POINTER, uint64_t, 0x7ffe00001234, ",\"x\":\"0x7ffe00001234\"}}");
	CHECK(SINK_POINTER, uint64_t, 0, ",\"x\":\"0x0\"}}");
	CHECK(SINK_POINTER, uint64_t, UINT64_MAX, ",\"x\":\"0xffffffffffffffff\"}}");
	CHECK(SINK_BOOL, uint8_t, 0, ",\"x\":false}}");
	CHECK(SINK_BOOL, uint8_t, 1, ",\"x\":true}}");
	CHECK(SINK_CHAR, char, 'a', ",\"x\":\"a\"}}");
	CHECK(SINK_CHAR, char, '"', ",\"x\":\"\\\"\"}}");
	CHECK(SINK_CHAR, char, '\0', ",\"x\":\"\\u0000\"}}");
	CHECK(SINK_CHAR, char, '\xe9', ",\"x\":\"\\\\xe9\"}}");
	CHECK(SINK_CHAR, uint32_t, 0x20ac, ",\"x\":\"\xe2\x82\xac\"}}");
	CHECK(SINK_CHAR, uint32_t, 0x1f600, ",\"x\":\"\xf0\x9f\x98\x80\"}}");
	CHECK(SINK_CHAR, uint16_t, 0xe9, ",\"x\":\"\xc3\xa9\"}}");
	CHECK(SINK_CHAR, uint32_t, 0xd800, ",\"x\":\"\\\\xd800\"}}");
}

static void strings_are_valid_json_whatever_they_hold(void **state)
{
	(void)state;
	check(SINK_STRING, "a\"b\\\n", 5, ",\"x\":\"a\\\"b\\\\\\n\"}}");
	check(SINK_STRING, "a\xff\0b", 4, ",\"x\":\"a\xef\xbf\xbd\\u0000b\"}}");
	check(SINK_STRING, "", 0, ",\"x\":\"\"}}");
	check(SINK_STRING, "unreadable", 10, ",\"x\":\"unreadable\"}}");
}

static void a_string_that_was_cut_ends_in_an_ellipsis_and_whole_characters(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} cases[] = {
		{"abc", "abc"},
		{"ab\xc3", "ab"},
		{"ab\xc3\xa9", "ab\xc3\xa9"},
		{"ab\xe2\x82", "ab"},
		{"ab\xe2\x82\xac", "ab\xe2\x82\xac"},
		{"a\xf0\x9f\x98", "a"},
		{"a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80"},
		{"\x82\x82\x82\x82", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\x82", "\xef\xbf\xbd"},
		{"", ""},
	};
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(expected, sizeof(expected), ",\"x\":\"%s\xe2\x80\xa6\"}}", cases[i].shown);
		check_item(SINK_STRING,
			   (struct pf_item){.size = strlen(cases[i].bytes), .is_cut = 1},
			   cases[i].bytes, expected);
	}
}

static void what_could_not_be_read_is_null_and_named(void **state)
{
	static const struct sink_value values[] = {
		{.name = "path", .format = SINK_STRING},
		{.name = "n", .format = SINK_SIGNED},
		{.format = SINK_FLOAT},
	};
	static const struct sink_label label = {
		.name = "f", .category = "c", .values = values, .n_values = 3, .name_value = -1, .category_value = -1};
	struct record record = make_span();
	struct trace trace = {};

	(void)state;
	put_item(&record, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .is_missing = 1}, NULL);
	put_argument(&record, 1, "\5", 1);
	put_item(&record, (struct pf_item){.kind = PF_ITEM_RETURN, .index = 2, .is_missing = 1},
		 NULL);
	put_item(&record, (struct pf_item){.kind = PF_ITEM_STACK, .is_missing = 1}, NULL);
	trace_open(&trace);
	send(&trace, &record, &label);
	assert_string_equal(values_of(&trace),
			    ",\"path\":null,\"n\":5,\"return\":null,\"stack\":null,"
			    "\"unreadable\":[\"path\",\"return\",\"stack\"]}}");
	trace_close(&trace);
}

static void bytes_that_are_no_value_of_the_format_are_unreadable(void **state)
{
	(void)state;
	check(SINK_FLOAT, "\1\2", 2, ",\"x\":null,\"unreadable\":[\"x\"]}}");
	check(SINK_SIGNED, "", 0, ",\"x\":null,\"unreadable\":[\"x\"]}}");
	check(SINK_UNSIGNED, "123456789", 9, ",\"x\":null,\"unreadable\":[\"x\"]}}");
}

static void a_name_that_is_taken_gets_a_prefix(void **state)
{
	static const char *const names[] = {"end",    "stack",	       "return", "cpu_usage",
					    "cycles", "written_bytes", "ends",	 "unreadable"};
	static const char *const shown[] = {"arg_end",	     "arg_stack",     "arg_return",
					    "arg_cpu_usage", "arg_cycles",    "arg_written_bytes",
					    "ends",	     "arg_unreadable"};
	char expected[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct sink_value value = {.name = names[i], .format = SINK_SIGNED};
		const struct sink_label label = {.name = "f",
						 .category = "c",
						 .values = &value,
						 .n_values = 1,
						 .name_value = -1, .category_value = -1};
		struct record record = make_span();
		struct trace trace = {};

		put_argument(&record, 0, "\7", 1);
		trace_open(&trace);
		send(&trace, &record, &label);
		snprintf(expected, sizeof(expected), ",\"%s\":7}}", shown[i]);
		assert_string_equal(values_of(&trace), expected);
		trace_close(&trace);
	}
}

static void put_metric(struct record *record, unsigned int metric, int64_t value)
{
	put_item(record, (struct pf_item){.kind = PF_ITEM_METRIC, .index = metric, .size = 8},
		 &value);
}

static void metrics_are_called_as_in_the_documentation(void **state)
{
	static const struct sink_label label = {.name = "f", .category = "c"};
	struct record record = make_span();
	struct trace trace = {};

	(void)state;
	put_metric(&record, PF_METRIC_RSS, 3 << 20);
	put_metric(&record, PF_METRIC_RSS_DELTA, -(8 << 10));
	put_metric(&record, PF_METRIC_MINOR_FAULTS, 1);
	put_metric(&record, PF_METRIC_MAJOR_FAULTS, 2);
	put_metric(&record, PF_METRIC_VOLUNTARY, 3);
	put_metric(&record, PF_METRIC_INVOLUNTARY, 4);
	put_metric(&record, PF_METRIC_READ_BYTES, 5);
	put_metric(&record, PF_METRIC_WRITTEN_BYTES, INT64_MAX);
	put_metric(&record, PF_METRIC_HW, 6);
	put_metric(&record, PF_METRIC_HW + 1, 7);
	trace_open(&trace);
	send(&trace, &record, &label);
	assert_string_equal(
		values_of(&trace),
		",\"memory_usage\":3072,\"memory_delta\":-8,\"minor_faults\":1,"
		"\"major_faults\":2,\"voluntary_switches\":3,\"involuntary_switches\":4,"
		"\"read_bytes\":5,\"written_bytes\":\"9223372036854775807\","
		"\"cycles\":6,\"cache_misses\":7}}");
	trace_close(&trace);
}

static void an_item_that_the_label_does_not_know_is_refused(void **state)
{
	static const struct sink_label label = {.name = "f", .category = "c"};
	struct record argument = make_span(), metric = make_span();
	struct trace trace = {};

	(void)state;
	put_argument(&argument, 0, "\1", 1);
	put_metric(&metric, PF_METRIC_HW + 2, 1);
	trace_open(&trace);
	assert_int_equal(trace.sink->ops->span(trace.sink, &argument.event, &label), -EBADMSG);
	assert_int_equal(trace.sink->ops->span(trace.sink, &metric.event, &label), -EBADMSG);
	assert_null(strstr(trace_line(&trace), "\"f\""));
	trace_close(&trace);
}

static void a_stack_is_a_list_of_texts(void **state)
{
	static const struct sink_label label = {.name = "f", .category = "c"};
	char name[] = "sym";
	const struct sink_start start = {.version = "0",
					 .host = "n01",
					 .boot_id = "b",
					 .symbolize = symbolize,
					 .symbolize_opaque = name};
	static const uint64_t addresses[] = {0x10, 0xbad, 0x20};
	const struct pf_item item = {.kind = PF_ITEM_STACK, .size = sizeof(addresses)};
	const struct pf_item empty = {.kind = PF_ITEM_STACK};
	struct record record = make_span(), bottom = make_span();
	struct trace trace = {}, plain = {};

	(void)state;
	put_item(&record, item, addresses);
	put_item(&bottom, empty, NULL);
	trace_open_as(&trace, &start);
	send(&trace, &record, &label);
	assert_string_equal(values_of(&trace), ",\"stack\":[\"sym\\\"100\\\"+0x10\",\"0xbad\","
					       "\"sym\\\"100\\\"+0x20\"]}}");
	send(&trace, &bottom, &label);
	assert_string_equal(values_of(&trace), ",\"stack\":[]}}");
	trace_close(&trace);

	trace_open(&plain);
	send(&plain, &record, &label);
	assert_string_equal(values_of(&plain), ",\"stack\":[\"0x10\",\"0xbad\",\"0x20\"]}}");
	trace_close(&plain);
}

static void check_name(const struct sink_label *label, struct record *record, const char *name)
{
	struct trace trace = {};
	char expected[64];

	snprintf(expected, sizeof(expected), "{\"name\":\"%s\",\"cat\":\"c\",\"ph\":\"X\",", name);
	trace_open(&trace);
	for (int i = 0; i < 2; i++) {
		send(&trace, record, label);
		assert_int_equal(strncmp(trace_line(&trace), expected, strlen(expected)), 0);
	}
	trace_close(&trace);
}

static void a_value_may_tell_the_name(void **state)
{
	static const struct sink_value values[] = {
		{.name = "kernel", .format = SINK_STRING},
		{.name = "number", .format = SINK_SIGNED},
	};
	struct sink_label label = {
		.name = "launch", .category = "c", .values = values, .n_values = 2, .category_value = -1};
	struct record text = make_span(), number = make_span(), missing = make_span(),
		      empty = make_span(), none = make_span();

	(void)state;
	put_argument(&text, 0, "mat\"mul", 7);
	check_name(&label, &text, "mat\\\"mul");
	put_item(&missing, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .is_missing = 1}, NULL);
	check_name(&label, &missing, "launch");
	put_argument(&empty, 0, "", 0);
	check_name(&label, &empty, "launch");
	check_name(&label, &none, "launch");
	label.name_value = 1;
	put_argument(&number, 1, "\xfe", 1);
	check_name(&label, &number, "-2");
	label.name_value = -1;
	check_name(&label, &number, "launch");
}

static void a_span_with_all_that_it_may_carry_is_one_valid_line(void **state)
{
	struct sink_value values[PF_MAX_CAPTURES];
	const struct sink_label label = {.name = "f",
					 .category = "c",
					 .values = values,
					 .n_values = PF_MAX_CAPTURES,
					 .name_value = -1, .category_value = -1};
	struct record record = make_span();
	const struct sink_summary summary = {.reason = "stopped"};
	uint64_t addresses[32] = {};
	char string[PF_MAX_STRING_BYTES];
	struct json_object *events, *args;
	struct trace trace = {};

	(void)state;
	memset(string, '\x01', sizeof(string)); /* six characters each */
	for (unsigned int i = 0; i < PF_MAX_CAPTURES; i++) {
		char *name = malloc(8);

		snprintf(name, 8, "x%u", i);
		values[i] = (struct sink_value){.name = name, .format = SINK_STRING};
		put_argument(&record, i, string, sizeof(string));
	}
	put_item(&record, (struct pf_item){.kind = PF_ITEM_STACK, .size = sizeof(addresses)},
		 addresses);
	trace_open(&trace);
	send(&trace, &record, &label);
	assert_true(strlen(trace_line(&trace)) > PF_MAX_CAPTURES * PF_MAX_STRING_BYTES * 6);
	events = trace_finish(&trace, &summary);
	args = member(json_object_array_get_idx(events, 1), "args");
	for (unsigned int i = 0; i < PF_MAX_CAPTURES; i++) {
		assert_int_equal(json_object_get_string_len(member(args, values[i].name)),
				 PF_MAX_STRING_BYTES);
		free((char *)values[i].name);
	}
	assert_int_equal(json_object_array_length(member(args, "stack")), 32);
	json_object_put(events);
	trace_close(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_keep_their_size_and_sign),
		cmocka_unit_test(numbers_that_a_browser_would_round_are_text),
		cmocka_unit_test(floating_point_reads_back_as_the_same_number),
		cmocka_unit_test(what_is_no_number_is_text),
		cmocka_unit_test(pointers_truths_and_characters_have_their_own_form),
		cmocka_unit_test(strings_are_valid_json_whatever_they_hold),
		cmocka_unit_test(a_string_that_was_cut_ends_in_an_ellipsis_and_whole_characters),
		cmocka_unit_test(what_could_not_be_read_is_null_and_named),
		cmocka_unit_test(bytes_that_are_no_value_of_the_format_are_unreadable),
		cmocka_unit_test(a_name_that_is_taken_gets_a_prefix),
		cmocka_unit_test(metrics_are_called_as_in_the_documentation),
		cmocka_unit_test(an_item_that_the_label_does_not_know_is_refused),
		cmocka_unit_test(a_stack_is_a_list_of_texts),
		cmocka_unit_test(a_value_may_tell_the_name),
		cmocka_unit_test(a_span_with_all_that_it_may_carry_is_one_valid_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
