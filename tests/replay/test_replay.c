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
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "session/pipeline.h"
#include "sink/output.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)

static const struct pf_process_seen driver = {
	.event = { sizeof(driver), PF_EVENT_PROCESS, 0, SECOND, 100, 100 },
	.start_ns = SECOND,
	.ppid = 1,
	.command_line_bytes = 18,
	.comm = "driver",
	.command_line = "./driver\0--input\0x",
};
static const struct pf_thread_seen driver_thread = {
	.event = { sizeof(driver_thread), PF_EVENT_THREAD, 0, SECOND + 1, 100, 100 },
	.comm = "driver",
};
static const struct pf_span inner = {
	.event = { sizeof(inner), PF_EVENT_SPAN, 2, SECOND + 2 * MS, 100, 100 },
	.duration_ns = 5 * MS,
	.oncpu_ns = 2 * MS,
	.runnable_ns = 1 * MS,
	.io_ns = 500000,
	.depth = 1,
};
static const struct pf_span outer = {
	.event = { sizeof(outer), PF_EVENT_SPAN, 1, SECOND + 1 * MS, 100, 100 },
	.duration_ns = 10 * MS + 1,
	.oncpu_ns = 7 * MS,
	.runnable_ns = 1 * MS,
};
static const struct pf_process_seen child = {
	.event = { sizeof(child), PF_EVENT_PROCESS, 0, SECOND + 3 * MS, 101, 101 },
	.start_ns = SECOND,
	.ppid = 100,
	.comm = "driver",
};
static const struct pf_span born_inside = {
	.event = { sizeof(born_inside), PF_EVENT_SPAN, 1, SECOND + 3 * MS + 1, 101, 101 },
	.duration_ns = 1 * MS,
	.oncpu_ns = 1 * MS,
	.begin = PF_BEGIN_FORK,
	.end = PF_END_EXEC,
};
static const struct pf_event entered = { sizeof(entered), PF_EVENT_MARK, 2, SECOND + 4 * MS, 101, 101 };
static const struct pf_process_end child_end = {
	.event = { sizeof(child_end), PF_EVENT_PROCESS_END, 0, SECOND + 6 * MS, 101, 101 },
	.oncpu_ns = 2 * MS,
};

static const struct {
	unsigned int ring;
	const void *record;
} recording[] = { /* in the order in which the rings were read, which is not that of time */
	{ 0, &driver }, { 0, &driver_thread }, { 0, &inner },	{ 0, &outer },
	{ 0, &child },	{ 0, &born_inside },   { 0, &entered }, { 0, &child_end },
};

static void replay(int fd)
{
	static const char *const aspects[] = { "solve*", NULL };
	const struct sink_start start = {
		.version = "replay", .host = "host", .boot_id = "boot", .aspects = aspects, .clock = { 1, 2, 3 }
	};
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	_cleanup_(labels_freep) struct labels *labels = NULL;
	struct pipeline_config config = { .stop_fd = -1 };
	struct pipeline_counts counts;
	uint32_t number;

	assert_int_equal(labels_new(&labels), 0);
	assert_int_equal(labels_add(labels, "solve", "driver", &number), 0);
	assert_int_equal(labels_add(labels, "solve::step<int>", "libsolve.so.1", &number), 0);
	assert_int_equal(number, 2);
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
	assert_int_equal(counts.n_processes, 2);
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
