/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Exact lines for the rules of the format, then a whole trace read back with json-c. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>

#include "trace_fixture.h"

static const char *const aspects[] = {"libm.so*:*", "say(\"x\")", NULL};

static const struct sink_start start = {
	.version = "0.1.0",
	.host = "n01",
	.boot_id = "b00t",
	.aspects = aspects,
	.clock = {.boot_ns = 5000001, .real_ns = 1764826008566290123ULL, .width_ns = 40},
};

static const struct sink_label label = {.name = "ns::solve", .category = "libs.so.1"};

static void trace_open(struct trace *trace)
{
	trace_open_as(trace, &start);
}

static struct pf_span make_span(uint64_t time_ns, uint64_t duration_ns, uint64_t oncpu_ns)
{
	return (struct pf_span){
		.event = {.size = sizeof(struct pf_span),
			  .kind = PF_EVENT_SPAN,
			  .joinpoint = 3,
			  .time_ns = time_ns,
			  .pid = 100,
			  .tid = 101},
		.duration_ns = duration_ns,
		.oncpu_ns = oncpu_ns,
	};
}

static void send_span(struct trace *trace, const struct pf_span *span, const struct sink_label *own)
{
	const struct event event = {.span = *span};

	assert_int_equal(trace->sink->ops->span(trace->sink, &event, own), 0);
}

static void check_span(struct trace *trace, struct pf_span span, const char *expected)
{
	send_span(trace, &span, &label);
	assert_string_equal(trace_line(trace), expected);
}

static void nothing_is_written_before_the_start_and_then_the_first_event_at_once(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	assert_string_equal(trace_text(&trace), "");
	assert_int_equal(output_flush_some(trace.sink->output), 0);
	assert_string_equal(trace_text(&trace),
			    "[\n{\"name\":\"perfflow_trace\",\"cat\":\"__metadata\",\"ph\":\"M\","
			    "\"ts\":5000.001,\"pid\":0,\"tid\":0,"
			    "\"argsStripped\":true,\"args\":{\"version\":\"0.1.0\",\"host\":"
			    "\"n01\",\"boot_id\":\"b00t\","
			    "\"aspects\":[\"libm.so*:*\",\"say(\\\"x\\\")\"],\"clock\":{\"boot_"
			    "ns\":\"5000001\","
			    "\"real_ns\":\"1764826008566290123\",\"width_ns\":\"40\"}}}");
	trace_close(&trace);
}

#define SPAN_START "{\"name\":\"ns::solve\",\"cat\":\"libs.so.1\",\"ph\":\"X\","

static void a_span_is_one_line_with_all_its_times(void **state)
{
	struct pf_span span = make_span(1234567890, 10000, 5000);
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	span.runnable_ns = 1001;
	check_span(&trace, span,
		   SPAN_START "\"ts\":1234567.890,\"dur\":10.000,\"pid\":100,\"tid\":101,\"args\":{"
			      "\"cpu_usage\":50.00,"
			      "\"oncpu_us\":5.000,\"runnable_us\":1.001,\"blocked_us\":3.999}}");
	span.io_ns = 7;
	span.end = PF_END_UNWOUND;
	span.begin = PF_BEGIN_FORK;
	check_span(&trace, span,
		   SPAN_START
		   "\"ts\":1234567.890,\"dur\":10.000,\"pid\":100,\"tid\":101,\"args\":{\"cpu_"
		   "usage\":50.00,"
		   "\"oncpu_us\":5.000,\"runnable_us\":1.001,\"blocked_us\":3.999,\"io_us\":0.007,"
		   "\"end\":\"unwound\",\"begin\":\"fork\"}}");
	trace_close(&trace);
}

static void numbers_of_any_length_are_exact(void **state)
{
	struct trace trace = {};
	uint64_t power = 1;

	(void)state;
	trace_open(&trace);
	for (int i = 0; i < 19; i++, power *= 10) {
		for (uint64_t time_ns = power - 1; time_ns <= power + 1; time_ns++) {
			struct pf_span span = make_span(time_ns, 0, 0);
			unsigned long long us = time_ns / 1000;
			unsigned int rest = time_ns % 1000;
			char expected[64];

			snprintf(expected, sizeof(expected), "\"ts\":%llu.%03u,\"dur\":0.000,", us,
				 rest);
			send_span(&trace, &span, &label);
			if (!strstr(trace_line(&trace), expected))
				fail_msg("no %s in %s", expected, trace_line(&trace));
		}
	}
	trace_close(&trace);
}

static void cpu_usage_is_rounded_and_never_overflows(void **state)
{
	static const struct {
		uint64_t duration_ns, oncpu_ns;
		const char *usage;
	} cases[] = {
		{0, 0, "100.00"},
		{3, 1, "33.33"},
		{3, 2, "66.67"},
		{20000, 1, "0.01"},
		{20001, 1, "0.00"},
		{7, 7, "100.00"},
		{7, 0, "0.00"},
		{1ULL << 62, 1ULL << 61, "50.00"},
		{1ULL << 50, 1ULL << 48, "25.00"},
		{(1ULL << 50) - 1, (1ULL << 50) - 1, "100.00"},
	};
	struct trace trace = {};
	char expected[64];

	(void)state;
	trace_open(&trace);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pf_span span = make_span(1, cases[i].duration_ns, cases[i].oncpu_ns);

		snprintf(expected, sizeof(expected), "{\"cpu_usage\":%s,", cases[i].usage);
		send_span(&trace, &span, &label);
		if (!strstr(trace_line(&trace), expected))
			fail_msg("no %s in %s", expected, trace_line(&trace));
	}
	trace_close(&trace);
}

static void a_mark_is_a_moment_of_its_thread(void **state)
{
	struct record mark = make_mark(PF_MOMENT_ENTRY, 2500, 100, 100);
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	assert_int_equal(trace.sink->ops->mark(trace.sink, &mark.event, &label), 0);
	assert_string_equal(trace_line(&trace),
			    "{\"name\":\"ns::solve\",\"cat\":\"libs.so.1\",\"ph\":\"i\","
			    "\"ts\":2.500,\"pid\":100,\"tid\":100,\"s\":\"t\","
			    "\"args\":{\"moment\":\"entry\"}}");
	mark.event.mark.moment = PF_MOMENT_RETURN;
	assert_int_equal(trace.sink->ops->mark(trace.sink, &mark.event, &label), 0);
	assert_non_null(strstr(trace_line(&trace), "{\"moment\":\"return\"}"));
	trace_close(&trace);
}

static void a_counter_has_one_number(void **state)
{
	struct sink_counter counter = {
		.category = "cpu", .name = "CPU 0", .value_name = "percent", .time_ns = 1000, .thousandths = 99125};
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	assert_int_equal(trace.sink->ops->counter(trace.sink, &counter), 0);
	assert_string_equal(
		trace_line(&trace),
		"{\"name\":\"CPU 0\",\"cat\":\"cpu\",\"ph\":\"C\",\"ts\":1.000,\"pid\":0,"
		"\"tid\":0,\"args\":{\"percent\":99.125}}");
	trace_close(&trace);
}

static void the_machine_is_named_once_and_stands_first(void **state)
{
	struct sink_counter counter = {.category = "cpu", .name = "CPU 0", .value_name = "%", .time_ns = 1000};
	static const char expected[] =
		",\n{\"name\":\"process_name\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":1.000,\"pid\":0,"
		"\"tid\":0,\"args\":{\"name\":\"machine\"}}"
		",\n{\"name\":\"process_sort_index\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":1.000,\"pid\":0,"
		"\"tid\":0,\"args\":{\"sort_index\":-1}}";
	struct trace trace = {};
	const char *first;

	(void)state;
	trace_open(&trace);
	counter.pid = 7;
	assert_int_equal(trace.sink->ops->counter(trace.sink, &counter), 0);
	trace_line(&trace);
	assert_null(strstr(trace_text(&trace), "machine"));
	counter.pid = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(trace.sink->ops->counter(trace.sink, &counter), 0);
	trace_line(&trace);
	first = strstr(trace_text(&trace), expected);
	assert_non_null(first);
	assert_null(strstr(first + sizeof(expected), "process_name"));
	trace_close(&trace);
}

static void names_are_kept_apart_by_join_point(void **state)
{
	static const uint32_t numbers[] = {0, 1, 63, 64, 100000, 1 << 22, UINT32_MAX};
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			struct pf_span span = make_span(1, 0, 0);
			char name[32], expected[64];
			struct sink_label own = {.name = name, .category = "c"};

			span.event.joinpoint = numbers[i];
			snprintf(name, sizeof(name), "f\\%zu", i);
			snprintf(expected, sizeof(expected),
				 "{\"name\":\"f\\\\%zu\",\"cat\":\"c\",\"ph\":\"X\",\"ts\":0.001,",
				 i);
			send_span(&trace, &span, &own);
			assert_int_equal(strncmp(trace_line(&trace), expected, strlen(expected)),
					 0);
		}
	}
	trace_close(&trace);
}

static void a_name_may_be_empty_or_endless(void **state)
{
	struct pf_span span = make_span(1, 0, 0);
	struct sink_label empty = {.name = "", .category = ""}, endless;
	char *name = malloc(100001);
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	send_span(&trace, &span, &empty);
	assert_non_null(strstr(trace_line(&trace), "{\"name\":\"?\",\"cat\":\"\","));

	/* each byte becomes six; then characters of three bytes, of which 4096 holds no whole
	 * number */
	memset(name, '\x01', 100000);
	name[100000] = '\0';
	endless = (struct sink_label){.name = name, .category = name};
	span.event.joinpoint = 4;
	send_span(&trace, &span, &endless);
	assert_true(strlen(trace_line(&trace)) > 2 * 6 * 4096);
	for (size_t i = 0; i < 99999; i++)
		name[i] = "\xe2\x82\xac"[i % 3];
	span.event.joinpoint = 5;
	send_span(&trace, &span, &endless);
	assert_null(strstr(trace_line(&trace), "\xef\xbf\xbd"));
	free(name);
	trace_close(&trace);
}

static void very_many_aspects_are_all_in_the_first_event(void **state)
{
	const char **many = calloc(20001, sizeof(*many));
	struct sink_start own = start;
	struct sink_summary summary = {.reason = "stopped"};
	struct trace trace = {.fd = memfd_create("trace", MFD_CLOEXEC)};
	struct json_object *events;
	struct output *output;

	(void)state;
	for (size_t i = 0; i < 20000; i++)
		many[i] = "libsomething.so*:some_function_*";
	own.aspects = many;
	assert_int_equal(output_open(dup(trace.fd), false, -1, &output), 0);
	assert_int_equal(sink_new("chrome", output, &own, &trace.sink), 0);
	events = trace_finish(&trace, &summary);
	assert_int_equal(json_object_array_length(member(
				 member(json_object_array_get_idx(events, 0), "args"), "aspects")),
			 20000);
	json_object_put(events);
	free(many);
	trace_close(&trace);
}

static void the_summary_tells_what_the_trace_lacks(void **state)
{
	struct sink_summary summary = {
		.reason = "target exited",
		.time_ns = 7000000,
		.n_spans = 12,
		.n_processes = 2,
		.losses = {[PF_LOST_TOO_DEEP] = 4},
		.n_bad_records = 1,
		.n_out_of_order = 3,
		.n_ends = {[PF_END_RETURN] = 11, [PF_END_EXEC] = 1},
	};
	struct json_object *events, *last, *args;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	events = trace_finish(&trace, &summary);
	last = json_object_array_get_idx(events, json_object_array_length(events) - 1);
	args = member(last, "args");
	assert_string_equal(json_object_get_string(member(last, "name")), "perfflow_summary");
	assert_string_equal(json_object_get_string(member(last, "ph")), "M");
	assert_string_equal(json_object_get_string(member(args, "reason")), "target exited");
	assert_int_equal(json_object_get_int64(member(args, "spans")), 12);
	assert_int_equal(json_object_get_int64(member(args, "processes")), 2);
	assert_int_equal(json_object_get_int64(member(member(args, "losses"), "too_deep")), 4);
	assert_int_equal(json_object_get_int64(member(member(args, "losses"), "ring_full")), 0);
	assert_int_equal(json_object_get_int64(member(args, "bad_records")), 1);
	assert_int_equal(json_object_get_int64(member(args, "out_of_order")), 3);
	assert_int_equal(json_object_get_int64(member(member(args, "ends"), "return")), 11);
	assert_int_equal(json_object_get_int64(member(member(args, "ends"), "exec")), 1);
	assert_false(json_object_get_boolean(member(args, "complete")));
	json_object_put(events);
	trace_close(&trace);
}

static void check_complete(const struct sink_summary *summary, bool complete)
{
	struct json_object *events, *last;
	struct trace trace = {};

	trace_open(&trace);
	events = trace_finish(&trace, summary);
	last = json_object_array_get_idx(events, json_object_array_length(events) - 1);
	assert_int_equal(json_object_get_boolean(member(member(last, "args"), "complete")),
			 complete);
	json_object_put(events);
	trace_close(&trace);
}

static void a_trace_is_complete_only_if_nothing_was_lost(void **state)
{
	struct sink_summary summary = {.reason = "stopped", .n_spans = 1};

	(void)state;
	check_complete(&summary, true);
	for (unsigned int i = 0; i < PF_N_LOSSES; i++) {
		summary.losses[i] = 1;
		check_complete(&summary, false);
		summary.losses[i] = 0;
	}
	summary.n_bad_records = 1;
	check_complete(&summary, false);
}

/* Several threads and processes, nested spans, every kind of event. */
static void fill_trace(struct trace *trace)
{
	const struct sink_ops *ops = trace->sink->ops;

	send_process(trace, 100, 1, "./sim\0-x", 8);
	send_process(trace, 200, 2, "", 0);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t time_ns = 10000000 + i * 5000ULL;
		struct pf_span outer = make_span(time_ns, 4000, 3000),
			       inner = make_span(time_ns + 1, 3998, 2999);
		struct sink_counter counter = {
			.category = "cpu", .name = "cpu", .value_name = "percent", .pid = 100, .time_ns = time_ns};
		struct record mark = make_mark(PF_MOMENT_ENTRY, time_ns + 5, 100, 101 + i % 7);

		outer.event.tid = inner.event.tid = mark.event.header.tid;
		inner.end = i % PF_N_ENDS;
		assert_int_equal(ops->mark(trace->sink, &mark.event, &label), 0);
		send_span(trace, &inner, &label);
		send_span(trace, &outer, &label);
		assert_int_equal(ops->counter(trace->sink, &counter), 0);
	}
}

/* With a path in PERFFLOW_TEST_TRACE the trace is kept there, for other readers. */
static void keep(const char *text)
{
	const char *path = getenv("PERFFLOW_TEST_TRACE");
	FILE *file = path ? fopen(path, "we") : NULL;

	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

static void a_whole_trace_is_an_array_of_one_event_a_line(void **state)
{
	struct sink_summary summary = {
		.reason = "stopped", .time_ns = 20000000, .n_spans = 2000, .n_processes = 2};
	struct json_object *events;
	struct trace trace = {};
	size_t n_lines = 0;

	(void)state;
	trace_open(&trace);
	fill_trace(&trace);
	events = trace_finish(&trace, &summary);
	assert_int_equal(json_object_array_length(events), 1 + 4 + 4000 + 1);
	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *event = json_object_array_get_idx(events, i);

		assert_true(*json_object_get_string(member(event, "name")));
		member(event, "cat");
		member(event, "ph");
		assert_true(json_object_get_double(member(event, "ts")) >= 0);
		assert_true(json_object_get_int64(member(event, "pid")) >= 0);
		member(event, "tid");
	}
	for (const char *p = trace.text; (p = strchr(p, '\n')); p++)
		n_lines++;
	assert_int_equal(n_lines, json_object_array_length(events) + 2);
	assert_string_equal(trace.text + strlen(trace.text) - 5, "}}\n]\n");
	keep(trace.text);
	json_object_put(events);
	trace_close(&trace);
}

static void a_trace_cut_off_at_a_flush_needs_only_its_bracket(void **state)
{
	struct json_object *events;
	struct trace trace = {};
	char *closed;

	(void)state;
	trace_open(&trace);
	fill_trace(&trace);
	trace_line(&trace);
	assert_true(asprintf(&closed, "%s]", trace.text) > 0);
	events = json_tokener_parse(closed);
	assert_non_null(events);
	assert_int_equal(json_object_array_length(events), 1 + 4 + 4000);
	json_object_put(events);
	free(closed);
	trace_close(&trace);
}

static void a_full_disk_fails_the_start(void **state)
{
	struct sink *sink = NULL;
	struct output *output;

	(void)state;
	assert_int_equal(output_open(open("/dev/full", O_WRONLY | O_CLOEXEC), false, -1, &output),
			 0);
	assert_int_equal(sink_new("chrome", output, &start, &sink), 0);
	assert_int_equal(output_flush_some(output), -ENOSPC);
	sink_free(sink);
}

static void a_format_that_is_not_known_is_refused(void **state)
{
	struct sink *sink = NULL;
	struct output *output;

	(void)state;
	assert_int_equal(output_open(open("/dev/null", O_WRONLY | O_CLOEXEC), false, -1, &output),
			 0);
	assert_int_equal(sink_new("svg", output, &start, &sink), -EINVAL);
	assert_null(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_written_before_the_start_and_then_the_first_event_at_once),
		cmocka_unit_test(a_span_is_one_line_with_all_its_times),
		cmocka_unit_test(numbers_of_any_length_are_exact),
		cmocka_unit_test(cpu_usage_is_rounded_and_never_overflows),
		cmocka_unit_test(a_mark_is_a_moment_of_its_thread),
		cmocka_unit_test(a_counter_has_one_number),
		cmocka_unit_test(the_machine_is_named_once_and_stands_first),
		cmocka_unit_test(names_are_kept_apart_by_join_point),
		cmocka_unit_test(a_name_may_be_empty_or_endless),
		cmocka_unit_test(very_many_aspects_are_all_in_the_first_event),
		cmocka_unit_test(the_summary_tells_what_the_trace_lacks),
		cmocka_unit_test(a_trace_is_complete_only_if_nothing_was_lost),
		cmocka_unit_test(a_whole_trace_is_an_array_of_one_event_a_line),
		cmocka_unit_test(a_trace_cut_off_at_a_flush_needs_only_its_bracket),
		cmocka_unit_test(a_full_disk_fails_the_start),
		cmocka_unit_test(a_format_that_is_not_known_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
