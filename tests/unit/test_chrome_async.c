/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What begins with one mark and ends with another. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "sink/chrome_internal.h"
#include "trace_fixture.h"

static const struct sink_start start = {.version = "0", .host = "n01", .boot_id = "b"};

static const struct sink_value values[] = {
	{.name = "request", .format = SINK_SIGNED, .size = 4},
	{.name = "path", .format = SINK_STRING},
};

#define LABEL(k, n)                                                                                \
	{                                                                                          \
		.name = (n), .category = "io", .kind = (k), .values = values, .n_values = 2,       \
		.name_value = -1, .category_value = -1, .id_value = -1, .scope_value = -1                                                   \
	}

static const struct sink_label span = LABEL(SINK_ASYNC_SPAN, "work"),
			       begin = LABEL(SINK_ASYNC_BEGIN, "request"),
			       instant = LABEL(SINK_ASYNC_INSTANT, "request"),
			       end = LABEL(SINK_ASYNC_END, "request");

static void send(struct trace *trace, struct record *record, const struct sink_label *label)
{
	assert_int_equal(trace->sink->ops->mark(trace->sink, &record->event, label), 0);
}

static void send_bare(struct trace *trace, enum pf_moment moment, uint64_t time_ns, uint32_t tid,
		      const struct sink_label *label)
{
	struct record record = make_mark(moment, time_ns, 100, tid);

	send(trace, &record, label);
}

static void send_with_id(struct trace *trace, uint64_t time_ns, uint32_t pid, uint64_t id,
			 const struct sink_label *label)
{
	struct record record = make_mark(PF_MOMENT_ENTRY, time_ns, pid, pid + 1);

	put_id(&record, id);
	send(trace, &record, label);
}

static void check_line(struct trace *trace, const char *expected)
{
	assert_string_equal(trace_line(trace), expected);
}

/* The end of a trace: what its summary says of async events. */
static void check_counts(struct trace *trace, int unfinished, int unbegun, int unfollowed,
			 int without_id)
{
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 9000000};
	struct json_object *events = trace_finish(trace, &summary);
	struct json_object *counts = member(summary_of(events), "async");

	assert_int_equal(json_object_get_int(member(counts, "unfinished")), unfinished);
	assert_int_equal(json_object_get_int(member(counts, "unbegun")), unbegun);
	assert_int_equal(json_object_get_int(member(counts, "unfollowed")), unfollowed);
	assert_int_equal(json_object_get_int(member(counts, "without_id")), without_id);
	assert_int_equal(json_object_get_boolean(member(summary_of(events), "complete")),
			 !unfollowed && !without_id);
	json_object_put(events);
	trace_close(trace);
}

static void the_thread_is_the_id_where_no_other_is_given(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_bare(&trace, PF_MOMENT_ENTRY, 1000, 100, &span);
	check_line(&trace,
		   "{\"name\":\"work\",\"cat\":\"io\",\"ph\":\"b\",\"ts\":1.000,\"pid\":100,"
		   "\"tid\":100,\"id2\":{\"local\":\"0x1\"},\"args\":{}}");
	send_bare(&trace, PF_MOMENT_ENTRY, 2000, 101, &span);
	send_bare(&trace, PF_MOMENT_RETURN, 3000, 100, &span);
	check_line(&trace,
		   "{\"name\":\"work\",\"cat\":\"io\",\"ph\":\"e\",\"ts\":3.000,\"pid\":100,"
		   "\"tid\":100,\"id2\":{\"local\":\"0x1\"},\"args\":{}}");
	send_bare(&trace, PF_MOMENT_RETURN, 4000, 101, &span);
	check_line(&trace,
		   "{\"name\":\"work\",\"cat\":\"io\",\"ph\":\"e\",\"ts\":4.000,\"pid\":100,"
		   "\"tid\":101,\"id2\":{\"local\":\"0x2\"},\"args\":{}}");
	check_counts(&trace, 0, 0, 0, 0);
}

static void what_ends_elsewhere_has_the_pid_and_tid_of_its_beginning(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 42, &begin);
	check_line(&trace,
		   "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"b\",\"ts\":1.000,\"pid\":100,"
		   "\"tid\":101,\"id2\":{\"local\":\"0x1\"},\"args\":{\"id\":42}}");
	send_with_id(&trace, 2000, 200, 42, &end);
	check_line(&trace,
		   "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"e\",\"ts\":2.000,\"pid\":100,"
		   "\"tid\":101,\"id2\":{\"local\":\"0x1\"},"
		   "\"args\":{\"ended_by\":{\"pid\":200,\"tid\":201},\"id\":42}}");
	check_counts(&trace, 0, 0, 0, 0);
}

static void a_moment_between_them_stands_on_their_track(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 42, &begin);
	send_with_id(&trace, 1000, 100, 42, &instant); /* but not before the beginning */
	check_line(&trace,
		   "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"n\",\"ts\":1.001,\"pid\":100,"
		   "\"tid\":101,\"id2\":{\"local\":\"0x1\"},\"args\":{\"id\":42}}");
	send_with_id(&trace, 2000, 200, 42, &instant);
	check_line(&trace,
		   "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"n\",\"ts\":2.000,\"pid\":100,"
		   "\"tid\":101,\"id2\":{\"local\":\"0x1\"},"
		   "\"args\":{\"by\":{\"pid\":200,\"tid\":201},\"id\":42}}");
	send_with_id(&trace, 3000, 100, 42, &end);
	assert_non_null(strstr(trace_line(&trace), "\"ph\":\"e\",\"ts\":3.000,"));
	send_with_id(&trace, 4000, 100, 42, &instant); /* of nothing that is open */
	check_line(&trace, "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"i\",\"ts\":4.000,\"pid\":"
			   "100,\"tid\":101,"
			   "\"s\":\"t\",\"args\":{\"begin\":\"unseen\",\"id\":42}}");
	check_counts(&trace, 0, 0, 0, 0);
}

static void a_call_that_did_not_return_says_how_it_ended(void **state)
{
	struct sink_label with_id = begin;
	struct record record = make_mark(PF_MOMENT_ENTRY, 1000, 100, 100);
	struct trace trace = {};

	(void)state;
	with_id.id_value = 0;
	record.event.mark.end = PF_END_UNWOUND;
	trace_open_as(&trace, &start);
	send(&trace, &record, &with_id);
	assert_non_null(strstr(trace_line(&trace),
			       ",\"args\":{\"moment\":\"entry\",\"end\":\"unwound\"}}"));
	check_counts(&trace, 0, 0, 0, 1);
}

static void both_ends_carry_their_values(void **state)
{
	struct record entry = make_mark(PF_MOMENT_ENTRY, 1000, 100, 100);
	struct record back = make_mark(PF_MOMENT_RETURN, 2000, 100, 100);
	struct trace trace = {};

	(void)state;
	put_argument(&entry, 1, "in", 2);
	put_item(&back, (struct pf_item){.kind = PF_ITEM_RETURN, .index = 0, .size = 4},
		 "\1\0\0\0");
	trace_open_as(&trace, &start);
	send(&trace, &entry, &span);
	assert_non_null(strstr(trace_line(&trace), ",\"args\":{\"path\":\"in\"}}"));
	send(&trace, &back, &span);
	assert_non_null(strstr(trace_line(&trace), ",\"args\":{\"request\":1}}"));
	check_counts(&trace, 0, 0, 0, 0);
}

static void an_end_is_later_than_its_beginning(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_bare(&trace, PF_MOMENT_ENTRY, 1000, 100, &span);
	send_bare(&trace, PF_MOMENT_RETURN, 1000, 100, &span);
	assert_non_null(strstr(trace_line(&trace), "\"ph\":\"e\",\"ts\":1.001,"));
	check_counts(&trace, 0, 0, 0, 0);
}

static void what_is_open_at_the_end_is_ended_there(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 1, &begin);
	send_with_id(&trace, 2000, 100, 2, &begin);
	check_counts(&trace, 2, 0, 0, 0);
}

static void an_unfinished_one_says_so(void **state)
{
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 9000};
	struct json_object *events, *event;
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 1, &begin);
	events = trace_finish(&trace, &summary);
	event = json_object_array_get_idx(events, 2);
	assert_string_equal(json_object_get_string(member(event, "ph")), "e");
	assert_string_equal(json_object_get_string(member(member(event, "args"), "end")),
			    "unfinished");
	assert_true(json_object_get_double(member(event, "ts")) == 9.0);
	json_object_put(events);
	trace_close(&trace);
}

static void an_end_without_a_beginning_is_a_moment(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 7, &begin);
	send_with_id(&trace, 2000, 100, 8, &end);
	check_line(&trace, "{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"i\",\"ts\":2.000,\"pid\":"
			   "100,\"tid\":101,"
			   "\"s\":\"t\",\"args\":{\"begin\":\"unseen\",\"id\":8}}");
	check_counts(&trace, 1, 1, 0, 0);
}

static void an_id_that_cannot_be_read_makes_a_moment(void **state)
{
	struct sink_label with_id = begin;
	struct record missing = make_mark(PF_MOMENT_ENTRY, 1000, 100, 100);
	struct record dropped = make_mark(PF_MOMENT_ENTRY, 2000, 100, 100);
	struct trace trace = {};

	(void)state;
	with_id.id_value = 0;
	put_item(&missing, (struct pf_item){.kind = PF_ITEM_ID, .is_missing = 1}, NULL);
	trace_open_as(&trace, &start);
	send(&trace, &missing, &with_id);
	check_line(
		&trace,
		"{\"name\":\"request\",\"cat\":\"io\",\"ph\":\"i\",\"ts\":1.000,\"pid\":100,"
		"\"tid\":100,"
		"\"s\":\"t\",\"args\":{\"moment\":\"entry\",\"id\":null,\"unreadable\":[\"id\"]}}");
	send(&trace, &dropped, &with_id); /* there was no room for its items */
	assert_non_null(strstr(trace_line(&trace), "\"ph\":\"i\""));
	check_counts(&trace, 0, 0, 0, 2);
}

static void an_id_is_shown_as_its_value_is(void **state)
{
	struct sink_label with_id = begin;
	struct trace trace = {};

	(void)state;
	with_id.id_value = 0; /* 4 bytes with a sign */
	trace_open_as(&trace, &start);
	send_with_id(&trace, 1000, 100, 0xffffffff, &with_id);
	assert_non_null(strstr(trace_line(&trace), "\"args\":{\"id\":-1}}"));
	with_id.id_value = 1; /* a string: where it is */
	send_with_id(&trace, 2000, 100, 0x7f0012345678, &with_id);
	assert_non_null(strstr(trace_line(&trace), "\"args\":{\"id\":\"0x7f0012345678\"}}"));
	check_counts(&trace, 2, 0, 0, 0);
}

static void names_that_values_tell_pair_as_they_are_shown(void **state)
{
	struct sink_label named_begin = LABEL(SINK_ASYNC_BEGIN, "submit"),
			  named_end = LABEL(SINK_ASYNC_END, "complete");
	struct record first = make_mark(PF_MOMENT_ENTRY, 1000, 100, 100);
	struct record second = make_mark(PF_MOMENT_RETURN, 2000, 100, 100);
	struct trace trace = {};

	(void)state;
	named_begin.name_value = named_end.name_value = 1;
	put_argument(&first, 1, "read", 4);
	put_argument(&second, 1, "read", 4);
	trace_open_as(&trace, &start);
	send(&trace, &first, &named_begin);
	send(&trace, &second, &named_end);
	assert_non_null(
		strstr(trace_line(&trace), "{\"name\":\"read\",\"cat\":\"io\",\"ph\":\"e\""));
	check_counts(&trace, 0, 0, 0, 0);
}

static void an_async_span_is_named_by_its_beginning(void **state)
{
	struct sink_label named = span;
	struct record entry = make_mark(PF_MOMENT_ENTRY, 1000, 100, 100);
	struct trace trace = {};

	(void)state;
	named.name_value = 1;
	put_argument(&entry, 1, "read", 4);
	trace_open_as(&trace, &start);
	send(&trace, &entry, &named);
	send_bare(&trace, PF_MOMENT_RETURN, 2000, 100, &named);
	assert_non_null(
		strstr(trace_line(&trace), "{\"name\":\"read\",\"cat\":\"io\",\"ph\":\"e\""));
	check_counts(&trace, 0, 0, 0, 0);
}

static void end_process(struct trace *trace, uint32_t pid, uint64_t time_ns)
{
	const struct pf_process_end ends = {.event = {.time_ns = time_ns, .pid = pid, .tid = pid}};

	assert_int_equal(trace->sink->ops->process_end(trace->sink, &ends), 0);
}

static void what_a_thread_has_open_ends_with_its_process(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_bare(&trace, PF_MOMENT_ENTRY, 1000, 101, &span);
	send_with_id(&trace, 2000, 100, 7, &begin);
	end_process(&trace, 100, 3000);
	assert_string_equal(
		trace_line_above(&trace, 1),
		"{\"name\":\"work\",\"cat\":\"io\",\"ph\":\"e\",\"ts\":3.000,\"pid\":100,"
		"\"tid\":101,\"id2\":{\"local\":\"0x1\"},\"args\":{\"end\":\"process_exit\"}}");
	send_with_id(&trace, 4000, 200, 7, &end); /* the request goes on elsewhere */
	assert_non_null(strstr(trace_line(&trace), "\"ph\":\"e\",\"ts\":4.000,\"pid\":100,"));
	check_counts(&trace, 0, 0, 0, 0);
}

static void what_began_before_its_pid_came_again_keeps_its_number(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1000000001, "a", 1);
	send_with_id(&trace, 1000, 100, 7, &begin);
	end_process(&trace, 100, 3000);
	send_process(&trace, 100, 5000000001, "b", 1);
	send_with_id(&trace, 4000, 100, 7, &end);
	assert_non_null(
		strstr(trace_line(&trace), "\"ph\":\"e\",\"ts\":4.000,\"pid\":100,\"tid\":101,"));
	assert_non_null(
		strstr(trace_line(&trace), "\"ended_by\":{\"pid\":1073741824,\"tid\":101}"));
	check_counts(&trace, 0, 0, 0, 0);
}

static void beyond_the_limit_beginnings_are_moments_and_the_trace_says_so(void **state)
{
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 9000000};
	struct json_object *events, *warnings;
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	for (uint64_t i = 0; i <= CHROME_MAX_ASYNCS; i++)
		send_with_id(&trace, 1000 + i, 100, i, &begin);
	assert_non_null(strstr(trace_line(&trace), "\"ph\":\"i\""));
	assert_non_null(strstr(trace_line(&trace), "\"end\":\"unfollowed\""));
	events = trace_finish(&trace, &summary);
	warnings = member(summary_of(events), "warnings");
	assert_int_equal(json_object_array_length(warnings), 1);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(warnings, 0)),
			    "1 async events began while 100000 others were open: they are shown as "
			    "moments");
	assert_false(json_object_get_boolean(member(summary_of(events), "complete")));
	json_object_put(events);
	trace_close(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thread_is_the_id_where_no_other_is_given),
		cmocka_unit_test(what_ends_elsewhere_has_the_pid_and_tid_of_its_beginning),
		cmocka_unit_test(a_moment_between_them_stands_on_their_track),
		cmocka_unit_test(a_call_that_did_not_return_says_how_it_ended),
		cmocka_unit_test(both_ends_carry_their_values),
		cmocka_unit_test(an_end_is_later_than_its_beginning),
		cmocka_unit_test(what_is_open_at_the_end_is_ended_there),
		cmocka_unit_test(an_unfinished_one_says_so),
		cmocka_unit_test(an_end_without_a_beginning_is_a_moment),
		cmocka_unit_test(an_id_that_cannot_be_read_makes_a_moment),
		cmocka_unit_test(an_id_is_shown_as_its_value_is),
		cmocka_unit_test(names_that_values_tell_pair_as_they_are_shown),
		cmocka_unit_test(an_async_span_is_named_by_its_beginning),
		cmocka_unit_test(what_a_thread_has_open_ends_with_its_process),
		cmocka_unit_test(what_began_before_its_pid_came_again_keeps_its_number),
		cmocka_unit_test(beyond_the_limit_beginnings_are_moments_and_the_trace_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
