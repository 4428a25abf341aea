/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A recorded session through the pipeline: bytes of two rings in, a Chrome trace out, which is compared with expected.json
 *
 * With an argument, `test_replay --write FILE`, the trace is written there instead: to look at it, and to renew the file
 * when the format has changed on purpose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "session/pipeline.h"
#include "sink/output.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define AT(k, record, number, time, p, t)                                                                         \
	{                                                                                                         \
		.size = sizeof(record), .kind = (k), .joinpoint = (number), .time_ns = (time), .pid = (p), .tid = (t) \
	}

enum { SOLVE = 1, STEP, CHECKPOINT, TRANSFER, SUBMIT, COMPLETE, PROGRESS, LAUNCH }; /* join points */

/* The driver, rank 1 of a job, all of whose texts arrive. */
static const struct pf_process_seen driver = {
	.event = AT(PF_EVENT_PROCESS, driver, 0, SECOND, 100, 100),
	.start_ns = SECOND,
	.ppid = 1,
	.uid = 1000,
	.command_line_bytes = 18,
	.comm = "driver",
	.command_line = "./driver\0--input\0x",
};
#define TEXT(record, w, t)                                                                                          \
	{                                                                                                           \
		.event = AT(PF_EVENT_PROCESS_TEXT, record, 0, SECOND, 100, 100), .what = (w), .bytes = sizeof(t), \
		.is_last = 1, .text = (t)                                                                           \
	}
static const struct pf_process_text exe = TEXT(exe, PF_TEXT_EXE, "driver\0bin\0opt");
static const struct pf_process_text directory = TEXT(directory, PF_TEXT_DIRECTORY, "run\0scratch");
static const struct pf_process_text cgroup = TEXT(cgroup, PF_TEXT_CGROUP, "step_0\0job_17\0slurm");
static const struct pf_process_text environment =
	TEXT(environment, PF_TEXT_ENVIRONMENT, "SLURM_JOB_ID=17\0SLURM_STEP_ID=0\0PMI_RANK=1\0PMI_SIZE=2");
static const struct pf_thread_seen driver_thread = {
	.event = AT(PF_EVENT_THREAD, driver_thread, 0, SECOND + 1, 100, 100),
	.comm = "driver",
};

/* A call within a call, the inner one with all that a span may carry. */
static const struct {
	struct pf_span span;
	struct pf_item count_item;
	int32_t count, unused;
	struct pf_item path_item;
	char path[8];
	struct pf_item stack_item;
	uint64_t stack[2];
	struct pf_item return_item, rss_item;
	int64_t rss;
	struct pf_item delta_item;
	int64_t delta;
	struct pf_item cycles_item;
	int64_t cycles;
} inner = {
	.span = {
		.event = AT(PF_EVENT_SPAN, inner, STEP, SECOND + 2 * MS, 100, 100),
		.duration_ns = 5 * MS,
		.oncpu_ns = 2 * MS,
		.runnable_ns = 1 * MS,
		.io_ns = 500000,
		.depth = 1,
	},
	.count_item = { .kind = PF_ITEM_ARGUMENT, .index = 0, .size = 4 },
	.count = -42,
	.path_item = { .kind = PF_ITEM_ARGUMENT, .index = 1, .size = 7, .is_cut = 1 },
	.path = "in.mel\xc3",
	.stack_item = { .kind = PF_ITEM_STACK, .size = 16 },
	.stack = { 0x401000, 0x402000 },
	.return_item = { .kind = PF_ITEM_RETURN, .index = 2, .is_missing = 1 },
	.rss_item = { .kind = PF_ITEM_METRIC, .index = PF_METRIC_RSS, .size = 8 },
	.rss = 8 << 20,
	.delta_item = { .kind = PF_ITEM_METRIC, .index = PF_METRIC_RSS_DELTA, .size = 8 },
	.delta = -4096,
	.cycles_item = { .kind = PF_ITEM_METRIC, .index = PF_METRIC_HW, .size = 8 },
	.cycles = 9007199254740993,
};
static const struct pf_span outer = {
	.event = AT(PF_EVENT_SPAN, outer, SOLVE, SECOND + 1 * MS, 100, 100),
	.duration_ns = 10 * MS + 1,
	.oncpu_ns = 7 * MS,
	.runnable_ns = 1 * MS,
};

/* A child that is born inside of a function, and crashes. */
static const struct pf_process_seen child = {
	.event = AT(PF_EVENT_PROCESS, child, 0, SECOND + 3 * MS, 101, 101),
	.start_ns = SECOND,
	.ppid = 100,
	.uid = 1000,
	.comm = "driver",
};
static const struct pf_fork child_fork = {
	.event = AT(PF_EVENT_FORK, child_fork, 0, SECOND + 3 * MS + 10, 101, 101),
	.parent_pid = 100,
	.parent_tid = 100,
};
static const struct pf_span born_inside = {
	.event = AT(PF_EVENT_SPAN, born_inside, SOLVE, SECOND + 3 * MS + 100, 101, 101),
	.duration_ns = 1 * MS,
	.oncpu_ns = 1 * MS,
	.begin = PF_BEGIN_FORK,
	.end = PF_END_EXEC,
};
static const struct pf_process_end child_end = {
	.event = AT(PF_EVENT_PROCESS_END, child_end, 0, SECOND + 6 * MS, 101, 101),
	.oncpu_ns = 2 * MS,
	.exit_code = 11,
};

/* A thread executes another program, and becomes the first of it. */
static const struct pf_process_seen executed = {
	.event = AT(PF_EVENT_PROCESS, executed, 0, SECOND + 7 * MS, 105, 106),
	.start_ns = SECOND,
	.ppid = 1,
	.uid = 1000,
	.has_executed = 1,
	.comm = "other",
};

/* A second thread. */
static const struct pf_fork clone = {
	.event = AT(PF_EVENT_FORK, clone, 0, SECOND + 2 * MS + 500, 100, 102),
	.parent_pid = 100,
	.parent_tid = 100,
};

/* Moments; something asynchronous on one thread; a request that is handed over; one without an end, one without a beginning. */
struct mark_with_path {
	struct pf_mark mark;
	struct pf_item item;
	char path[8];
};
struct mark_with_id {
	struct pf_mark mark;
	struct pf_item item;
	uint64_t id;
};
static const struct pf_mark entered = {
	.event = AT(PF_EVENT_MARK, entered, STEP, SECOND + 4 * MS, 101, 101),
};
static const struct mark_with_path checkpoint = {
	.mark = { .event = AT(PF_EVENT_MARK, checkpoint, CHECKPOINT, SECOND + 8 * MS, 100, 102), .moment = PF_MOMENT_RETURN },
	.item = { .kind = PF_ITEM_ARGUMENT, .index = 0, .size = 5 },
	.path = "a\"b\\c",
};
static const struct pf_mark transfer_begins = {
	.event = AT(PF_EVENT_MARK, transfer_begins, TRANSFER, SECOND + 4 * MS, 100, 102),
};
static const struct pf_mark transfer_ends = {
	.event = AT(PF_EVENT_MARK, transfer_ends, TRANSFER, SECOND + 6 * MS, 100, 102), .moment = PF_MOMENT_RETURN
};
#define WITH_ID(record, number, time, p, t, value)                                                      \
	{                                                                                               \
		.mark = { .event = AT(PF_EVENT_MARK, record, number, time, p, t) },                     \
		.item = { .kind = PF_ITEM_ID, .size = 8 }, .id = (value)                                \
	}
static const struct mark_with_id submit = WITH_ID(submit, SUBMIT, SECOND + 3 * MS, 100, 100, 42);
static const struct mark_with_id submit_too = WITH_ID(submit_too, SUBMIT, SECOND + 4 * MS, 100, 100, 43);
static const struct mark_with_id complete = WITH_ID(complete, COMPLETE, SECOND + 5 * MS, 101, 101, 42);
static const struct mark_with_id progress = WITH_ID(progress, PROGRESS, SECOND + 4 * MS + 500000, 101, 101, 42);
static const struct {
	struct pf_span span;
	struct pf_item item;
	uint64_t id;
} launch = { /* its id is what it returned */
	.span = { .event = AT(PF_EVENT_SPAN, launch, LAUNCH, SECOND + 3 * MS + 500000, 100, 102), .duration_ns = 500000 },
	.item = { .kind = PF_ITEM_ID, .size = 8 },
	.id = 44,
};
static const struct mark_with_id complete_launched = WITH_ID(complete_launched, COMPLETE, SECOND + 5 * MS + 500000, 101, 101, 44);
static const struct mark_with_id complete_other = WITH_ID(complete_other, COMPLETE, SECOND + 5 * MS, 101, 101, 99);

/* What two CPUs ran: the driver waits, and its second thread wakes it. */
#define SWITCH(record, time, c, p, t, name, lp, lt, state)                                                     \
	{                                                                                                      \
		.event = AT(PF_EVENT_SWITCH, record, 0, time, p, t), .cpu = (c), .left_pid = (lp),             \
		.left_tid = (lt), .left_state = (state), .priority = 120, .comm = (name)                       \
	}
static const struct pf_switch switches[] = {
	SWITCH(switches[0], SECOND + 1 * MS - 1000, 0, 100, 100, "driver", 0, 0, PF_THREAD_RUNNABLE),
	SWITCH(switches[0], SECOND + 3 * MS, 1, 100, 102, "worker", 0, 0, PF_THREAD_RUNNABLE),
	SWITCH(switches[0], SECOND + 4 * MS, 0, 900, 900, "top", 100, 100, PF_THREAD_IO),
	SWITCH(switches[0], SECOND + 6 * MS, 0, 100, 100, "driver", 900, 900, PF_THREAD_BLOCKED),
	SWITCH(switches[0], SECOND + 9 * MS, 1, 0, 0, "swapper/1", 100, 102, PF_THREAD_DEAD),
};
static const struct pf_wake wake = {
	.event = AT(PF_EVENT_WAKE, wake, 0, SECOND + 5 * MS, 100, 100),
	.waker_pid = 100,
	.waker_tid = 102,
};

static const struct {
	unsigned int ring;
	const void *record;
} recording[] = { /* in the order in which the rings were read, which is not that of time */
	{ 0, &driver },	      { 0, &exe },	   { 0, &directory }, { 0, &cgroup },	{ 0, &environment },	{ 0, &driver_thread },
	{ 0, &inner },	      { 0, &outer },	   { 0, &child },	{ 0, &child_fork },	{ 0, &clone },
	{ 0, &born_inside },  { 0, &entered },	   { 0, &child_end },	{ 0, &checkpoint },	{ 0, &transfer_begins },
	{ 0, &transfer_ends }, { 0, &submit },	   { 0, &submit_too },	{ 0, &complete },	{ 0, &complete_other },
	{ 0, &progress },     { 0, &launch },	   { 0, &complete_launched }, { 0, &executed },
	{ 0, &switches[0] },  { 0, &switches[1] }, { 0, &switches[2] }, { 0, &switches[3] },	{ 0, &switches[4] },
	{ 0, &wake },
};

static const struct sink_value step_values[] = {
	{ .name = "count", .format = SINK_SIGNED, .size = 4 },
	{ .name = "path", .format = SINK_STRING },
	{ .format = SINK_FLOAT, .size = 8 },
};
static const struct sink_value checkpoint_values[] = { { .name = "path", .format = SINK_STRING } };
#define LABEL(n, c, k) { .name = (n), .category = (c), .kind = (k), .name_value = -1, .category_value = -1, .id_value = -1, .scope_value = -1 }
static const struct sink_label join_points[] = {
	LABEL("solve", "driver", SINK_SPAN),
	{ .name = "solve::step<int>", .category = "libsolve.so.1", .values = step_values, .n_values = 3, .name_value = -1, .category_value = -1, .id_value = -1, .scope_value = -1 },
	{ .name = "checkpoint", .category = "driver", .kind = SINK_MARK, .values = checkpoint_values, .n_values = 1, .name_value = -1, .category_value = -1, .id_value = -1, .scope_value = -1 },
	LABEL("transfer", "driver", SINK_ASYNC_SPAN),
	LABEL("request", "io", SINK_ASYNC_BEGIN),
	LABEL("request", "io", SINK_ASYNC_END),
	LABEL("request", "io", SINK_ASYNC_INSTANT),
	LABEL("request", "io", SINK_ASYNC_BEGIN),
};

static int symbolize(void *opaque, uint32_t pid, uint64_t time_ns, uint64_t address, struct text *ret)
{
	(void)opaque, (void)pid, (void)time_ns;
	return address == 0x401000 ? text_printf(ret, "solve+0x10") : -ENOENT;
}

static void add_labels(struct labels *labels)
{
	static const struct pf_condition always;
	uint32_t number;

	for (size_t i = 0; i < ARRAY_SIZE(join_points); i++) {
		assert_int_equal(labels_add(labels, &join_points[i], &always, &number), 0);
		assert_int_equal(number, i + 1);
	}
}

static void replay(int fd)
{
	static const char *const aspects[] = { "solve*", NULL }, *const hw_names[] = { "cycles", NULL };
	const struct sink_start start = {
		.version = "replay", .host = "host", .boot_id = "boot", .aspects = aspects, .clock = { 1, 2, 3 },
		.hw_names = hw_names, .symbolize = symbolize,
	};
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	_cleanup_(labels_freep) struct labels *labels = NULL;
	struct pipeline_config config = { .stop_fd = -1 };
	struct pipeline_counts counts;

	assert_int_equal(labels_new(&labels), 0);
	add_labels(labels);
	config.labels = labels;
	assert_int_equal(output_open(fd, false, -1, &config.output), 0);
	assert_int_equal(sink_new("chrome", config.output, &start, &config.sink), 0);
	assert_int_equal(pipeline_new(&config, &pipeline), 0);

	for (size_t i = 0; i < ARRAY_SIZE(recording); i++)
		pipeline_feed(pipeline, recording[i].ring, recording[i].record,
			      ((const struct pf_event *)recording[i].record)->size);
	pipeline_feed(pipeline, 0, "not a record", 12);
	assert_int_equal(pipeline_finish(pipeline, "replayed"), 0);
	pipeline_count(pipeline, &counts);
	assert_int_equal(counts.n_spans, 3);
	assert_int_equal(counts.n_bad_records, 1);
	assert_int_equal(counts.n_not_written, 0);
	assert_int_equal(counts.n_processes, 3);
}

static size_t read_all(int fd, char *buffer, size_t size)
{
	ssize_t n = pread(fd, buffer, size, 0);

	assert_true(n > 0 && (size_t)n < size);
	buffer[n] = '\0';
	return n;
}

static void a_recorded_session_gives_the_expected_trace(void **state)
{
	_cleanup_close_ int trace = memfd_create("trace", MFD_CLOEXEC), expected = open(EXPECTED, O_RDONLY | O_CLOEXEC);
	static char got[65536], wanted[65536];

	(void)state;
	assert_true(trace >= 0 && expected >= 0);
	replay(dup(trace));
	read_all(trace, got, sizeof(got));
	read_all(expected, wanted, sizeof(wanted));
	assert_string_equal(got, wanted);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_recorded_session_gives_the_expected_trace) };

	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		replay(open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
