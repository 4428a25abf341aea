/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Each piece tells of what lives, and of nothing else. */
#include <stdbool.h>

#include "sink/chrome_internal.h"
#include "trace_fixture.h"

static uint32_t ended_tid;

static bool has_ended(uint32_t pid, uint32_t tid)
{
	(void)pid;
	return tid == ended_tid;
}

static const struct sink_start start = {
	.version = "0",
	.host = "n01",
	.boot_id = "b",
	.clock = {.boot_ns = 500, .real_ns = 1},
	.thread_has_ended = has_ended,
};

static const struct sink_label span = {.name = "work",
				       .category = "io",
				       .kind = SINK_ASYNC_SPAN,
				       .name_value = -1,
				       .category_value = -1,
				       .id_value = -1,
				       .scope_value = -1};

static void name_thread(struct trace *trace, uint32_t tid, const char *name)
{
	struct pf_thread_seen thread = {.event = {.time_ns = 1000, .pid = 100, .tid = tid}};

	strcpy(thread.comm, name);
	assert_int_equal(trace->sink->ops->thread(trace->sink, &thread), 0);
}

static void send_bare(struct trace *trace, enum pf_moment moment, uint64_t time_ns)
{
	struct record record = make_mark(moment, time_ns, 100, 100);

	assert_int_equal(trace->sink->ops->mark(trace->sink, &record.event, &span), 0);
}

/* Goes on in a new file. Returns the events of the one before. */
static struct json_object *next_piece(struct trace *trace, unsigned int number, uint64_t time_ns, uint64_t boot_ns)
{
	const struct sink_summary summary = {.reason = "continued", .time_ns = time_ns};
	const struct sink_piece piece = {.number = number, .time_ns = time_ns, .clock = {.boot_ns = boot_ns}};
	int fd = memfd_create("piece", MFD_CLOEXEC);
	struct json_object *events;

	assert_int_equal(trace->sink->ops->next_piece(trace->sink, dup(fd), &summary, &piece), 0);
	events = json_tokener_parse(trace_text(trace));
	assert_non_null(events);
	close(trace->fd);
	trace->fd = fd;
	return events;
}

static unsigned int count(struct json_object *events, const char *name, const char *value)
{
	unsigned int n = 0;

	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *event = json_object_array_get_idx(events, i);
		const char *text = json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN);

		n += strcmp(json_object_get_string(member(event, "name")), name) == 0 && strstr(text, value);
	}
	return n;
}

static struct json_object *finish(struct trace *trace)
{
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 90000};

	return trace_finish(trace, &summary);
}

static void what_lives_is_told_again_at_the_time_of_the_cut(void **state)
{
	struct trace trace = {};
	struct json_object *first, *second;

	(void)state;
	ended_tid = 0;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1000, "solver\0-x", 9);
	name_thread(&trace, 101, "worker");
	first = next_piece(&trace, 2, 5000, 6000);
	second = finish(&trace);
	assert_int_equal(count(first, "thread_name", "\"ts\":1.000"), 1);
	assert_int_equal(count(second, "process_name", "\"ts\":5.000"), 1);
	assert_int_equal(count(second, "process_name", "solver -x"), 1);
	assert_int_equal(count(second, "thread_name", "\"ts\":5.000,\"pid\":100,\"tid\":101"), 1);
	assert_int_equal(count(second, "perfflow_trace", "{\"number\":2,\"began_ns\":\"500\"}"), 1);
	json_object_put(first);
	json_object_put(second);
	trace_close(&trace);
}

static void what_has_ended_is_not(void **state)
{
	const struct pf_process_end end = {.event = {.time_ns = 7000, .pid = 100, .tid = 100}};
	struct trace trace = {};

	(void)state;
	ended_tid = 101;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1000, "solver", 6);
	name_thread(&trace, 101, "worker");
	json_object_put(next_piece(&trace, 2, 5000, 6000));
	/* its records of before 6000 may still be on their way */
	assert_non_null(strstr(trace_text(&trace), "worker"));
	json_object_put(next_piece(&trace, 3, 5500, 6100));
	assert_non_null(strstr(trace_text(&trace), "worker"));
	json_object_put(next_piece(&trace, 4, 6500, 7100));
	assert_null(strstr(trace_text(&trace), "worker"));
	assert_non_null(strstr(trace_text(&trace), "solver"));
	assert_int_equal(trace.sink->ops->process_end(trace.sink, &end), 0);
	json_object_put(next_piece(&trace, 5, 7500, 8100));
	assert_null(strstr(trace_text(&trace), "solver"));
	json_object_put(finish(&trace));
	trace_close(&trace);
}

static void what_is_open_ends_with_the_piece_and_begins_in_the_next(void **state)
{
	struct trace trace = {};
	struct json_object *first, *second;

	(void)state;
	trace_open_as(&trace, &start);
	send_bare(&trace, PF_MOMENT_ENTRY, 1000);
	first = next_piece(&trace, 2, 5000, 6000);
	send_bare(&trace, PF_MOMENT_RETURN, 5000);
	second = finish(&trace);
	assert_int_equal(count(first, "work", "\"ph\":\"e\",\"ts\":5.000"), 1);
	assert_int_equal(count(first, "work", "\"end\":\"continued\""), 1);
	assert_int_equal(count(second, "work", "\"ph\":\"b\",\"ts\":5.000"), 1);
	assert_int_equal(count(second, "work", "\"ph\":\"e\",\"ts\":5.001"), 1);
	assert_int_equal(json_object_get_int(member(member(summary_of(first), "async"), "continued")), 1);
	assert_int_equal(json_object_get_int(member(member(summary_of(second), "async"), "continued")), 0);
	json_object_put(first);
	json_object_put(second);
	trace_close(&trace);
}

static void a_trace_that_is_one_file_keeps_no_lines(void **state)
{
	struct sink_start alone = start;
	struct trace trace = {};

	(void)state;
	alone.thread_has_ended = NULL;
	trace_open_as(&trace, &alone);
	send_process(&trace, 100, 1000, "solver", 6);
	assert_null(strstr(trace_text(&trace), "\"piece\""));
	assert_null(((struct process *)hash_find(&((struct chrome *)trace.sink)->processes, 100))->kept);
	json_object_put(finish(&trace));
	trace_close(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lives_is_told_again_at_the_time_of_the_cut),
		cmocka_unit_test(what_has_ended_is_not),
		cmocka_unit_test(what_is_open_ends_with_the_piece_and_begins_in_the_next),
		cmocka_unit_test(a_trace_that_is_one_file_keeps_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
