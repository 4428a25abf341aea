/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the CPUs ran, and what the threads waited for. */
#include <stdbool.h>
#include <stdio.h>

#include "trace_fixture.h"

static const struct sink_start start = {.version = "0", .host = "n01", .boot_id = "b"};

/* A trace with processes 100 and 200 in its scope. */
static void trace_open(struct trace *trace)
{
	trace_open_as(trace, &start);
	send_process(trace, 100, 1000000001, "a", 1);
	send_process(trace, 200, 1000000002, "b", 1);
}

struct thread {
	uint32_t pid, tid;
	const char *comm;
};

static const struct thread a = {100, 101, "a"}, b = {200, 201, "b"}, c = {200, 202, "c"},
			   stranger = {900, 900, "top"}, idle = {0, 0, "swapper"};

static void switch_cpu(struct trace *trace, uint32_t cpu, uint64_t time_us, struct thread left,
		       enum pf_thread_state left_state, struct thread comes)
{
	struct pf_switch cpu_switch = {
		.event = {.time_ns = time_us * 1000, .pid = comes.pid, .tid = comes.tid},
		.cpu = cpu,
		.left_pid = left.pid,
		.left_tid = left.tid,
		.left_state = left_state,
	};

	strcpy(cpu_switch.comm, comes.comm);
	assert_int_equal(trace->sink->ops->cpu_switch(trace->sink, &cpu_switch), 0);
}

static void wake(struct trace *trace, uint64_t time_us, struct thread woken, struct thread waker)
{
	const struct pf_wake record = {
		.event = {.time_ns = time_us * 1000, .pid = woken.pid, .tid = woken.tid},
		.waker_pid = waker.pid,
		.waker_tid = waker.tid,
	};

	assert_int_equal(trace->sink->ops->wake(trace->sink, &record), 0);
}

/* The states of a thread in a finished trace, as "Running@0 1-3, S 3-5"; freed by the caller. */
static char *states_of(struct json_object *events, uint32_t tid)
{
	struct text states = {};

	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *event = json_object_array_get_idx(events, i), *cpu;
		double from = json_object_get_double(member(event, "ts"));

		if (strcmp(json_object_get_string(member(event, "ph")), "T") != 0 ||
		    json_object_get_int64(member(event, "tid")) != tid)
			continue;
		assert_string_equal(json_object_get_string(member(event, "cat")), "__sched");
		text_printf(&states, "%s%s", states.size ? ", " : "",
			    json_object_get_string(member(event, "name")));
		if (json_object_object_get_ex(member(event, "args"), "cpu", &cpu))
			text_printf(&states, "@%d", json_object_get_int(cpu));
		text_printf(&states, " %g-%g", from,
			    from + json_object_get_double(member(event, "dur")));
	}
	return states.data ?: strdup("");
}

/* Finishes the trace at 100 us. */
static struct json_object *finish(struct trace *trace)
{
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 100000};

	return trace_finish(trace, &summary);
}

static void check_states(struct json_object *events, struct thread thread, const char *expected)
{
	char *states = states_of(events, thread.tid);

	assert_string_equal(states, expected);
	free(states);
}

/* The arrow ends of that name, as "tid time number, ...". */
static char *arrow_ends(struct json_object *events, const char *name)
{
	struct text ends = {};

	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *event = json_object_array_get_idx(events, i);

		if (strcmp(json_object_get_string(member(event, "name")), name) == 0)
			text_printf(&ends, "%s%s %g %s", ends.size ? ", " : "",
				    json_object_get_string(member(event, "tid")),
				    json_object_get_double(member(event, "ts")),
				    json_object_get_string(member(event, "bind_id")));
	}
	return ends.data ?: strdup("");
}

static void check_arrows(struct json_object *events, const char *name, const char *expected)
{
	char *ends = arrow_ends(events, name);

	assert_string_equal(ends, expected);
	free(ends);
}

static void a_stretch_on_a_cpu_is_one_line(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 3, 10, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 3, 15, a, PF_THREAD_BLOCKED, idle);
	assert_string_equal(trace_line(&trace),
			    "{\"name\":\"Running\",\"cat\":\"__sched\",\"ph\":\"T\",\"ts\":10.000,"
			    "\"dur\":5.000,\"pid\":100,\"tid\":101,\"args\":{\"cpu\":3}}");
	trace_close(&trace);
}

static void a_thread_is_in_one_state_after_the_other(void **state)
{
	struct json_object *events;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 0, 10, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 0, 12, a, PF_THREAD_BLOCKED, b);
	wake(&trace, 20, a, b);
	switch_cpu(&trace, 1, 25, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 0, 30, b, PF_THREAD_RUNNABLE, idle);
	switch_cpu(&trace, 0, 31, idle, PF_THREAD_RUNNABLE, b);
	switch_cpu(&trace, 1, 40, a, PF_THREAD_IO, idle);
	wake(&trace, 44, a, idle);
	switch_cpu(&trace, 1, 45, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 1, 50, a, PF_THREAD_DEAD, idle);
	events = finish(&trace);
	check_states(events, a,
		     "Running@0 10-12, S 12-20, R 20-25, Running@1 25-40, D 40-44, R 44-45, "
		     "Running@1 45-50");
	check_states(events, b, "Running@0 12-30, R+ 30-31, Running@0 31-100");
	check_states(events, idle, "");
	json_object_put(events);
	trace_close(&trace);
}

static void of_a_stranger_only_what_it_ran_is_shown(void **state)
{
	struct json_object *events;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 0, 10, idle, PF_THREAD_RUNNABLE, stranger);
	switch_cpu(&trace, 0, 12, stranger, PF_THREAD_BLOCKED, idle);
	switch_cpu(&trace, 0, 20, idle, PF_THREAD_RUNNABLE, stranger);
	switch_cpu(&trace, 0, 21, stranger, PF_THREAD_IO, idle);
	events = finish(&trace);
	check_states(events, stranger, "Running@0 10-12, Running@0 20-21");
	json_object_put(events);
	trace_close(&trace);
}

static unsigned int count_lines_with(struct trace *trace, const char *what)
{
	unsigned int n = 0;

	trace_line(trace);
	for (const char *p = trace->text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void a_stranger_is_named_once(void **state)
{
	const struct thread renamed = {900, 900, "top2"}, second = {900, 905, "top"};
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	for (int i = 0; i < 5; i++) {
		switch_cpu(&trace, 0, 10 * i, idle, PF_THREAD_RUNNABLE, stranger);
		switch_cpu(&trace, 0, 10 * i + 5, stranger, PF_THREAD_BLOCKED, a);
		switch_cpu(&trace, 0, 10 * i + 8, a, PF_THREAD_BLOCKED, idle);
	}
	assert_int_equal(count_lines_with(&trace, "{\"name\":\"thread_name\""), 1);
	assert_int_equal(
		count_lines_with(&trace, "\"pid\":900,\"tid\":900,\"args\":{\"name\":\"top\"}"),
		2); /* the process, too */
	switch_cpu(&trace, 0, 60, idle, PF_THREAD_RUNNABLE, renamed);
	assert_int_equal(count_lines_with(&trace, "\"args\":{\"name\":\"top2\"}"), 1);
	switch_cpu(&trace, 1, 60, idle, PF_THREAD_RUNNABLE, second);
	assert_int_equal(count_lines_with(&trace, "\"tid\":905,\"args\":{\"name\":\"top\"}"), 1);
	trace_close(&trace);
}

static void an_arrow_leads_from_the_waker_to_where_the_thread_runs(void **state)
{
	struct json_object *events;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 0, 10, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 0, 12, a, PF_THREAD_BLOCKED, b);
	wake(&trace, 20, a, b);
	wake(&trace, 21, a, stranger); /* it is awake: nothing to wake */
	switch_cpu(&trace, 1, 25, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 1, 27, a, PF_THREAD_RUNNABLE, idle);
	switch_cpu(&trace, 1, 28, idle, PF_THREAD_RUNNABLE, a); /* not woken again */
	switch_cpu(&trace, 1, 30, a, PF_THREAD_BLOCKED, idle);
	wake(&trace, 40, a, idle); /* a timer */
	switch_cpu(&trace, 1, 41, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 1, 50, a, PF_THREAD_BLOCKED, idle);
	wake(&trace, 51, a, stranger); /* nobody sees it there */
	switch_cpu(&trace, 1, 52, idle, PF_THREAD_RUNNABLE, a);
	events = finish(&trace);
	check_arrows(events, "wakes", "201 20 1");
	check_arrows(events, "woken", "101 25 1");
	json_object_put(events);
	trace_close(&trace);
}

static void what_lost_records_leave_unknown_is_not_shown(void **state)
{
	struct json_object *events;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 0, 10, idle, PF_THREAD_RUNNABLE, a);
	/* that a left and b came was lost */
	switch_cpu(&trace, 0, 20, b, PF_THREAD_BLOCKED, idle);
	/* that a left the CPU where it came to next was lost */
	switch_cpu(&trace, 1, 30, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 2, 40, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 2, 50, a, PF_THREAD_DEAD, idle);
	/* CPU 1 still remembers a, which is gone */
	switch_cpu(&trace, 1, 60, idle, PF_THREAD_RUNNABLE, b);
	/* that b left and c came was lost, and nobody hears of b again */
	switch_cpu(&trace, 1, 70, c, PF_THREAD_BLOCKED, idle);
	events = finish(&trace);
	check_states(events, a, "Running@2 40-50");
	check_states(events, b, "S 20-60");
	check_states(events, c, "S 70-100");
	json_object_put(events);
	trace_close(&trace);
}

static void a_tid_that_comes_again_is_another_thread(void **state)
{
	const struct thread reused = {200, 101, "b"};
	struct json_object *events;
	struct trace trace = {};

	(void)state;
	trace_open(&trace);
	switch_cpu(&trace, 0, 10, idle, PF_THREAD_RUNNABLE, a);
	switch_cpu(&trace, 0, 20, a, PF_THREAD_BLOCKED, idle);
	switch_cpu(&trace, 0, 50, idle, PF_THREAD_RUNNABLE, reused);
	switch_cpu(&trace, 0, 60, reused, PF_THREAD_DEAD, idle);
	events = finish(&trace);
	check_states(events, a, "Running@0 10-20, Running@0 50-60");
	json_object_put(events);
	trace_close(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stretch_on_a_cpu_is_one_line),
		cmocka_unit_test(a_thread_is_in_one_state_after_the_other),
		cmocka_unit_test(of_a_stranger_only_what_it_ran_is_shown),
		cmocka_unit_test(a_stranger_is_named_once),
		cmocka_unit_test(an_arrow_leads_from_the_waker_to_where_the_thread_runs),
		cmocka_unit_test(what_lost_records_leave_unknown_is_not_shown),
		cmocka_unit_test(a_tid_that_comes_again_is_another_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
