/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes and threads: what they are called, how they begin and end. */
#include <stdbool.h>
#include <stdio.h>

#include "trace_fixture.h"

static const struct sink_start start = {.version = "0", .host = "n01", .boot_id = "b"};

static void a_process_is_named_by_its_command_line(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1, "./sim\0-n\0\"4\"\0", 13);
	assert_string_equal(
		trace_line(&trace),
		"{\"name\":\"process_name\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":9.000,"
		"\"pid\":100,\"tid\":100,\"args\":{\"name\":\"./sim -n \\\"4\\\"\"}}");
	send_process(&trace, 100, 1, "\0\0", 2);
	assert_non_null(strstr(trace_line(&trace), "\"args\":{\"name\":\"short\"}"));
	trace_close(&trace);
}

static void a_command_line_that_fills_its_field_is_whole(void **state)
{
	char line[PF_COMMAND_LINE_BYTES];
	struct trace trace = {};
	const char *name;

	(void)state;
	trace_open_as(&trace, &start);
	memset(line, 'x', sizeof(line));
	send_process(&trace, 100, 1, line, sizeof(line));
	name = strstr(trace_line(&trace), "\"args\":{\"name\":\"x");
	assert_non_null(name);
	assert_int_equal(strspn(name + 16, "x"), PF_COMMAND_LINE_BYTES);
	trace_close(&trace);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	struct pf_thread_seen thread = {.event = {.time_ns = 1, .pid = 5, .tid = 6},
					.comm = "a\xff\x01"};
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	assert_int_equal(trace.sink->ops->thread(trace.sink, &thread), 0);
	assert_string_equal(
		trace_line(&trace),
		"{\"name\":\"thread_name\",\"cat\":\"__metadata\",\"ph\":\"M\",\"ts\":0.001,"
		"\"pid\":5,\"tid\":6,\"args\":{\"name\":\"a\xef\xbf\xbd\\u0001\"}}");
	trace_close(&trace);
}

/* What a span of that thread is shown with. */
static void check_shown(struct trace *trace, uint32_t pid, uint32_t tid, uint32_t shown_pid,
			uint32_t shown_tid)
{
	static const struct sink_label label = {.name = "f", .category = "c"};
	const struct event span = {.span = {.event = {.kind = PF_EVENT_SPAN,
						      .size = sizeof(span.span),
						      .time_ns = 1,
						      .pid = pid,
						      .tid = tid}}};
	char expected[64];

	snprintf(expected, sizeof(expected), ",\"pid\":%u,\"tid\":%u,", shown_pid, shown_tid);
	assert_int_equal(trace->sink->ops->span(trace->sink, &span, &label), 0);
	if (!strstr(trace_line(trace), expected))
		fail_msg("no %s in %s", expected, trace_line(trace));
}

static void end_process(struct trace *trace, uint32_t pid)
{
	struct pf_process_end end = {.event = {.pid = pid, .tid = pid}};

	assert_int_equal(trace->sink->ops->process_end(trace->sink, &end), 0);
}

static void a_pid_that_comes_again_is_shown_with_another_number(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1000000001, "a", 1);
	send_process(&trace, 200, 1000000002, "b", 1);
	end_process(&trace, 100);
	end_process(&trace, 300); /* never seen */
	check_shown(&trace, 100, 100, 100, 100);

	send_process(&trace, 100, 1000000003, "c", 1);
	check_shown(&trace, 100, 100, 1 << 30, 1 << 30);
	check_shown(&trace, 100, 101, 1 << 30, 101);
	check_shown(&trace, 200, 201, 200, 201);
	check_shown(&trace, 300, 300, 300, 300);

	/* its end was lost: the start tells */
	send_process(&trace, 200, 9000000000, "d", 1);
	check_shown(&trace, 200, 200, (1 << 30) + 1, (1 << 30) + 1);
	check_shown(&trace, 100, 100, 1 << 30, 1 << 30);
	trace_close(&trace);
}

static void another_program_in_the_same_process_keeps_its_number(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1230000000, "a",
		     1); /* from /proc, where a start is cut to 10 ms */
	send_process(&trace, 100, 1234567890, "b", 1); /* from the kernel side, at exec */
	check_shown(&trace, 100, 100, 100, 100);
	send_process(&trace, 100, 1234567890, "c", 1);
	check_shown(&trace, 100, 100, 100, 100);
	trace_close(&trace);
}

static void processes_are_sorted_as_they_began(void **state)
{
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_process(&trace, 300, 1000000001, "a", 1);
	assert_string_equal(trace_line_above(&trace, 1),
			    "{\"name\":\"process_sort_index\",\"cat\":\"__metadata\",\"ph\":\"M\","
			    "\"ts\":9.000,\"pid\":300,\"tid\":300,\"args\":{\"sort_index\":0}}");
	send_process(&trace, 200, 1000000002, "b", 1);
	assert_non_null(strstr(trace_line_above(&trace, 1), "\"args\":{\"sort_index\":1}"));
	send_process(&trace, 300, 1000000001, "a2", 2); /* another program: it keeps its place */
	assert_null(strstr(trace_line_above(&trace, 1), "sort_index"));
	trace_close(&trace);
}

static struct identity make_identity(void)
{
	return (struct identity){
		.generation = 9000,
		.pid = 100,
		.ppid = 50,
		.uid = 1000,
		.has_uid = true,
		.is_complete = true,
		.comm = "lmp",
		.command_line = "lmp -in in.melt",
		.exe = "/opt/lmp",
		.cgroup = "/slurm/job_17",
		.rank = IDENTITY_UNKNOWN,
		.n_ranks = IDENTITY_UNKNOWN,
		.local_rank = IDENTITY_UNKNOWN,
	};
}

static void send_identity(struct trace *trace, const struct identity *identity)
{
	assert_int_equal(trace->sink->ops->identity(trace->sink, identity), 0);
}

#define PROGRAM_START                                                                              \
	"{\"name\":\"program\",\"cat\":\"__process\",\"ph\":\"i\",\"ts\":9.000,\"pid\":100,"       \
	"\"tid\":100,"                                                                             \
	"\"s\":\"p\",\"args\":{\"command_line\":\"lmp -in in.melt\",\"exe\":\"/opt/lmp\","         \
	"\"parent\":50,\"uid\":1000,\"host\":\"n01\",\"cgroup\":\"/slurm/job_17\""

static void what_is_known_of_a_process_stands_in_one_event(void **state)
{
	struct identity identity = make_identity();
	struct trace trace = {};
	unsigned int n_lines;

	(void)state;
	trace_open_as(&trace, &start);
	n_lines = trace_n_lines(&trace);
	send_identity(&trace, &identity);
	assert_string_equal(trace_line(&trace), PROGRAM_START "}}");
	assert_int_equal(trace_n_lines(&trace), n_lines + 1); /* no rank, no job: no labels */
	trace_close(&trace);
}

static void what_is_not_known_is_left_out(void **state)
{
	struct identity identity = {.generation = 9000,
				    .pid = 100,
				    .comm = "sh",
				    .is_partial = true,
				    .rank = -1,
				    .n_ranks = -1,
				    .local_rank = -1};
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	send_identity(&trace, &identity);
	assert_string_equal(trace_line(&trace),
			    "{\"name\":\"program\",\"cat\":\"__process\",\"ph\":\"i\",\"ts\":9.000,"
			    "\"pid\":100,\"tid\":100,\"s\":\"p\",\"args\":{\"command_line\":\"sh\","
			    "\"host\":\"n01\",\"partial\":true}}");
	trace_close(&trace);
}

static void a_rank_is_in_the_name_the_order_and_the_labels(void **state)
{
	struct identity identity = make_identity();
	struct trace trace = {};

	(void)state;
	identity.rank = 3;
	identity.n_ranks = 8;
	identity.local_rank = 1;
	identity.scheduler = "slurm";
	identity.job = "17";
	identity.step = "0";
	identity.container = "4f1a";
	trace_open_as(&trace, &start);
	send_process(&trace, 100, 1000000001, "lmp\0-in\0in.melt", 15);
	send_identity(&trace, &identity);
	assert_string_equal(trace_line(&trace), PROGRAM_START
			    ",\"container\":\"4f1a\",\"scheduler\":\"slurm\",\"job\":\"17\","
			    "\"step\":\"0\",\"rank\":3,\"ranks\":8,\"local_rank\":1}}");
	assert_non_null(
		strstr(trace_line_above(&trace, 1),
		       "{\"name\":\"process_labels\",\"cat\":\"__metadata\",\"ph\":\"M\","));
	assert_non_null(strstr(trace_line_above(&trace, 1),
			       "{\"labels\":\"rank 3,slurm job 17.0,container 4f1a,host n01\"}"));
	assert_non_null(strstr(trace_line_above(&trace, 2), "{\"sort_index\":8192}"));
	assert_non_null(strstr(trace_line_above(&trace, 3),
			       "{\"name\":\"process_name\",\"cat\":\"__metadata\",\"ph\":\"M\","));
	assert_non_null(
		strstr(trace_line_above(&trace, 3), "{\"name\":\"rank 3: lmp -in in.melt\"}"));
	trace_close(&trace);
}

static int64_t sort_index(uint32_t pid, unsigned int n_before, int32_t rank)
{
	struct identity identity = make_identity();
	struct trace trace = {};
	int64_t index;

	trace_open_as(&trace, &start);
	for (unsigned int i = 0; i < n_before; i++)
		send_process(&trace, 1000000 + i, 1000000000ULL + i, "x", 1);
	send_process(&trace, pid, 1000000001, "x", 1);
	identity.pid = pid;
	identity.rank = rank;
	send_identity(&trace, &identity);
	index = atoll(strstr(trace_line_above(&trace, 2), "\"sort_index\":") + 13);
	trace_close(&trace);
	return index;
}

static void ranks_come_in_order_and_within_them_the_first_to_begin(void **state)
{
	(void)state;
	assert_true(sort_index(1, 5, 0) < sort_index(2, 9, 0));
	assert_true(sort_index(1, 9, 0) < sort_index(2, 5, 1));
	assert_true(sort_index(1, 9, 9) < sort_index(2, 5, 10));
	assert_true(sort_index(1, 5000, 9) < sort_index(2, 0, 10));
	assert_true(sort_index(1, 0, INT32_MAX) <= INT32_MAX);
}

static void check_exit(int32_t code, const char *expected)
{
	const struct pf_process_end end = {.event = {.time_ns = 7000, .pid = 100, .tid = 105},
					   .oncpu_ns = 1234567,
					   .exit_code = code};
	struct trace trace = {};
	char line[256];

	snprintf(line, sizeof(line),
		 "{\"name\":\"exit\",\"cat\":\"__process\",\"ph\":\"i\",\"ts\":7.000,\"pid\":100,"
		 "\"tid\":105,"
		 "\"s\":\"p\",\"args\":{%s,\"oncpu_us\":1234.567}}",
		 expected);
	trace_open_as(&trace, &start);
	assert_int_equal(trace.sink->ops->process_end(trace.sink, &end), 0);
	assert_string_equal(trace_line(&trace), line);
	trace_close(&trace);
}

static void an_exit_tells_status_or_signal(void **state)
{
	(void)state;
	check_exit(0, "\"status\":0");
	check_exit(3 << 8, "\"status\":3");
	check_exit(255 << 8, "\"status\":255");
	check_exit(9, "\"signal\":\"SIGKILL\"");
	check_exit(11 | 0x80, "\"signal\":\"SIGSEGV\",\"core_dumped\":true");
	check_exit(40, "\"signal\":\"signal 40\"");
}

static void a_fork_is_an_arrow_to_the_child(void **state)
{
	const struct pf_fork process = {.event = {.time_ns = 5000, .pid = 101, .tid = 101},
					.parent_pid = 100,
					.parent_tid = 103},
			     thread = {.event = {.time_ns = 6000, .pid = 100, .tid = 104},
				       .parent_pid = 100,
				       .parent_tid = 100};
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	assert_int_equal(trace.sink->ops->fork(trace.sink, &process), 0);
	assert_string_equal(
		trace_line_above(&trace, 1),
		"{\"name\":\"fork\",\"cat\":\"__process\",\"ph\":\"X\",\"ts\":5.000,\"pid\":100,"
		"\"tid\":103,\"dur\":0.000,\"bind_id\":1,\"flow_out\":true,"
		"\"args\":{\"child\":101}}");
	assert_string_equal(trace_line(&trace),
			    "{\"name\":\"forked\",\"cat\":\"__process\",\"ph\":\"X\",\"ts\":5.001,"
			    "\"pid\":101,\"tid\":101,\"dur\":0.000,\"bind_id\":1,\"flow_in\":true,"
			    "\"args\":{\"parent\":103}}");
	assert_int_equal(trace.sink->ops->fork(trace.sink, &thread), 0);
	assert_non_null(strstr(trace_line_above(&trace, 1), "{\"name\":\"clone\","));
	assert_non_null(strstr(trace_line_above(&trace, 1), "\"bind_id\":2,\"flow_out\":true,"));
	assert_non_null(strstr(trace_line(&trace), "{\"name\":\"cloned\","));
	assert_non_null(strstr(trace_line(&trace), "\"tid\":104,\"dur\":0.000,\"bind_id\":2,"));
	trace_close(&trace);
}

static void an_execution_is_an_arrow_from_the_thread_that_did_it(void **state)
{
	const struct pf_process_seen process = {
		.event = {.time_ns = 5000, .pid = 100, .tid = 103}, .has_executed = 1, .comm = "b"};
	struct trace trace = {};

	(void)state;
	trace_open_as(&trace, &start);
	assert_int_equal(trace.sink->ops->process(trace.sink, &process), 0);
	assert_string_equal(
		trace_line_above(&trace, 1),
		"{\"name\":\"exec\",\"cat\":\"__process\",\"ph\":\"X\",\"ts\":5.000,\"pid\":100,"
		"\"tid\":103,\"dur\":0.000,\"bind_id\":1,\"flow_out\":true,"
		"\"args\":{\"becomes\":100}}");
	assert_string_equal(
		trace_line(&trace),
		"{\"name\":\"executed\",\"cat\":\"__process\",\"ph\":\"X\",\"ts\":5.001,\"pid\":100,"
		"\"tid\":100,\"dur\":0.000,\"bind_id\":1,\"flow_in\":true,"
		"\"args\":{\"was\":103}}");
	trace_close(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_named_by_its_command_line),
		cmocka_unit_test(a_command_line_that_fills_its_field_is_whole),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(a_pid_that_comes_again_is_shown_with_another_number),
		cmocka_unit_test(another_program_in_the_same_process_keeps_its_number),
		cmocka_unit_test(processes_are_sorted_as_they_began),
		cmocka_unit_test(what_is_known_of_a_process_stands_in_one_event),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(a_rank_is_in_the_name_the_order_and_the_labels),
		cmocka_unit_test(ranks_come_in_order_and_within_them_the_first_to_begin),
		cmocka_unit_test(an_exit_tells_status_or_signal),
		cmocka_unit_test(a_fork_is_an_arrow_to_the_child),
		cmocka_unit_test(an_execution_is_an_arrow_from_the_thread_that_did_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
