/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* PerfFlowAspect's files out of records: exact lines, their order, who belongs to whom, whose file
 * is whose. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "sink/pfw.h"
#include "sink/tee.h"
#include "trace_fixture.h"

#define EPOCH_US  1700000000000000ULL
#define MAX_FILES 16

struct made_file {
	char *path; /* directory, log_dir and name as they were asked for */
	int fd;
	struct pfw_request request; /* its strings are gone */
};

struct fixture {
	struct sink *sink;
	struct identities *identities;
	struct made_file files[MAX_FILES];
	size_t n_files;
	int refusal; /* instead of a file */
	struct strings warnings;
	char *text, *shown;
	const char *woven_program; /* or NULL */
};

static int make_file(void *opaque, const struct pfw_request *request, struct why *why)
{
	struct fixture *fixture = opaque;
	struct made_file *file = &fixture->files[fixture->n_files];

	if (fixture->refusal)
		return why_say(why, fixture->refusal, "the folder is locked");
	assert_true(fixture->n_files < MAX_FILES);
	assert_true(asprintf(&file->path, "%s|%s|%s", request->directory ?: "", request->log_dir,
			     request->name) > 0);
	file->request = *request;
	file->fd = memfd_create("pfw", MFD_CLOEXEC);
	fixture->n_files++;
	return dup(file->fd);
}

static void take_warning(void *opaque, const char *sentence)
{
	assert_int_equal(strings_add(&((struct fixture *)opaque)->warnings, sentence), 0);
}

static bool is_woven(const void *woven, const char *file_name)
{
	const struct fixture *fixture = woven;

	return fixture->woven_program && strcmp(file_name, fixture->woven_program) == 0;
}

static void fixture_open(struct fixture *fixture)
{
	const struct pfw_start pfw = {
		.open_fn = make_file,
		.warn_fn = take_warning,
		.opaque = fixture,
		.is_woven_fn = is_woven,
		.woven = fixture,
	};
	const struct sink_start start = {
		.host = "vm",
		.clock = {.boot_ns = 1000, .real_ns = EPOCH_US * 1000 + 1000},
		.pfw = &pfw,
	};

	*fixture = (struct fixture){0};
	assert_int_equal(identities_new(&fixture->identities), 0);
	assert_int_equal(sink_new("pfw", NULL, &start, &fixture->sink), 0);
}

static void fixture_done(struct fixture *fixture)
{
	sink_free(fixture->sink);
	identities_free(fixture->identities);
	for (size_t i = 0; i < fixture->n_files; i++) {
		free(fixture->files[i].path);
		close(fixture->files[i].fd);
	}
	strings_done(&fixture->warnings);
	free(fixture->text);
	free(fixture->shown);
}

/* Processes */

static void tell(struct fixture *fixture, uint32_t pid, uint64_t time_ns, enum pf_text what,
		 const char *text, size_t size)
{
	struct pf_process_text record = {
		.event = {.pid = pid, .tid = pid, .time_ns = time_ns},
		.what = what,
		.bytes = size,
		.is_last = 1,
	};

	memcpy(record.text, text, size);
	assert_true(identities_text(fixture->identities, &record) >= 0);
}

/* A process that runs a program in /scratch/run, with PERFFLOW_OPTIONS unless that is NULL. */
static void execute(struct fixture *fixture, uint32_t pid, uint64_t time_ns, const char *options)
{
	struct pf_process_seen seen = {
		.event = {.pid = pid, .tid = pid, .time_ns = time_ns},
		.uid = 1000,
		.gid = 100,
		.comm = "solver",
	};
	char environment[512] = "A=b";

	if (options)
		snprintf(environment, sizeof(environment), "PERFFLOW_OPTIONS=%s", options);
	assert_int_equal(fixture->sink->ops->process(fixture->sink, &seen), 0);
	assert_true(identities_seen(fixture->identities, &seen) >= 0);
	tell(fixture, pid, time_ns, PF_TEXT_EXE, "solver\0bin", 11);
	tell(fixture, pid, time_ns, PF_TEXT_DIRECTORY, "run\0scratch", 12);
	tell(fixture, pid, time_ns, PF_TEXT_CGROUP, "job", 4);
	tell(fixture, pid, time_ns, PF_TEXT_ENVIRONMENT, environment, strlen(environment) + 1);
	assert_int_equal(fixture->sink->ops->identity(fixture->sink,
						      identities_find(fixture->identities, pid)),
			 0);
}

static void end_process(struct fixture *fixture, uint32_t pid)
{
	const struct pf_process_end end = {.event = {.pid = pid, .tid = pid}};

	assert_int_equal(fixture->sink->ops->process_end(fixture->sink, &end), 0);
}

static void finish(struct fixture *fixture)
{
	const struct sink_summary summary = {.reason = "stopped"};

	assert_int_equal(fixture->sink->ops->finish(fixture->sink, &summary), 0);
}

/* Events */

static struct sink_label make_label(const char *name)
{
	return (struct sink_label){.name = name,
				   .category = "libs.so.1",
				   .name_value = -1,
				   .category_value = -1,
				   .id_value = -1,
				   .scope_value = -1,
				   .module = "solve.cpp"};
}

static const char *const function_names[] = {"foo", "bar", "bas", "main", "req", "other"};
enum { FOO = 1, BAR, BAS, MAIN, REQ, OTHER };
static struct sink_label labels[ARRAY_SIZE(function_names) + 1];

static int set_up_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(function_names); i++)
		labels[i + 1] = make_label(function_names[i]);
	return 0;
}

struct made_span {
	uint32_t joinpoint, tid;
	uint64_t start_us, end_us, start_ns, end_ns; /* together */
	uint16_t depth;
	uint64_t oncpu_us, rss_kib; /* 0: not measured */
};

static int try_span(struct fixture *fixture, uint32_t pid, const struct made_span *made)
{
	uint64_t start_ns = made->start_us * 1000 + made->start_ns;
	uint64_t end_ns = made->end_us * 1000 + made->end_ns;
	struct record record = {.event = {.order_ns = end_ns,
					  .span = {.event = {.size = sizeof(struct pf_span),
							     .kind = PF_EVENT_SPAN,
							     .joinpoint = made->joinpoint,
							     .time_ns = start_ns,
							     .pid = pid,
							     .tid = made->tid ?: pid},
						   .duration_ns = end_ns - start_ns,
						   .oncpu_ns = made->oncpu_us * 1000,
						   .depth = made->depth}}};
	int64_t bytes = (int64_t)made->rss_kib * 1024;

	if (bytes)
		put_item(&record,
			 (struct pf_item){.kind = PF_ITEM_METRIC,
					  .index = PF_METRIC_RSS,
					  .size = sizeof(bytes)},
			 &bytes);
	return fixture->sink->ops->span(fixture->sink, &record.event, &labels[made->joinpoint]);
}

static void send_span(struct fixture *fixture, uint32_t pid, const struct made_span *made)
{
	assert_int_equal(try_span(fixture, pid, made), 0);
}
#define SPAN(pid, ...) send_span(&fixture, pid, &(struct made_span){__VA_ARGS__})

static void send_mark(struct fixture *fixture, uint32_t pid, uint32_t tid, uint32_t joinpoint,
		      enum pf_moment moment, uint64_t time_us)
{
	struct record record = make_mark(moment, time_us * 1000, pid, tid);

	record.event.header.joinpoint = joinpoint;
	record.event.order_ns = time_us * 1000;
	assert_int_equal(fixture->sink->ops->mark(fixture->sink, &record.event, &labels[joinpoint]),
			 0);
}

/* What is in a file */

static const char *text_of(struct fixture *fixture, size_t file)
{
	struct stat st;

	assert_true(file < fixture->n_files);
	assert_int_equal(fstat(fixture->files[file].fd, &st), 0);
	free(fixture->text);
	fixture->text = calloc(1, st.st_size + 1);
	assert_int_equal(pread(fixture->files[file].fd, fixture->text, st.st_size, 0), st.st_size);
	return fixture->text;
}

static void show(struct text *shown, struct json_object *event)
{
	const char *phase = json_object_get_string(member(event, "ph"));
	double us = json_object_get_double(member(event, "ts")) - EPOCH_US;
	struct json_object *value;

	text_printf(shown, "%s%s %s %g", shown->size ? "; " : "", phase,
		    json_object_get_string(member(event, "name")), us);
	if (json_object_object_get_ex(event, "dur", &value))
		text_printf(shown, "+%g", json_object_get_double(value));
	if (json_object_object_get_ex(event, "id", &value))
		text_printf(shown, " #%d", json_object_get_int(value));
	if (json_object_object_get_ex(event, "scope", &value))
		text_printf(shown, " %s", json_object_get_string(value));
	if (json_object_object_get_ex(event, "args", &value))
		text_printf(shown, " %s/%s", json_object_get_string(member(value, "cpu_usage")),
			    json_object_get_string(member(value, "memory_usage")));
}

/* "B foo 10; E foo 20": phases, names and times of all events, in the order of the file. */
static const char *shown(struct fixture *fixture, size_t file)
{
	struct json_object *events = json_tokener_parse(text_of(fixture, file));
	struct text text = {0};

	assert_true(json_object_is_type(events, json_type_array));
	for (size_t i = 0; i < json_object_array_length(events); i++)
		show(&text, json_object_array_get_idx(events, i));
	json_object_put(events);
	free(fixture->shown);
	fixture->shown = text.data;
	return fixture->shown;
}

/* Tests */

static void a_verbose_file_has_perfflowaspects_lines(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "cpu-mem-usage=True");
	SPAN(100, BAR, .tid = 101, .start_us = 20, .end_us = 30, .depth = 1, .oncpu_us = 5,
	     .rss_kib = 7600);
	SPAN(100, FOO, .tid = 101, .start_us = 10, .end_us = 40, .depth = 0, .rss_kib = 7728);
	finish(&fixture);
	assert_int_equal(fixture.n_files, 1);
	assert_string_equal(fixture.files[0].path, "/scratch/run|./|perfflow.array.vm.100");
	assert_string_equal(
		text_of(&fixture, 0),
		"[\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000010.0, \"ph\": \"B\"},\n"
		"{\"name\": \"bar\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000020.0, \"ph\": \"B\"},\n"
		"{\"name\": \"bar\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000030.0, \"ph\": \"E\"},\n"
		"{\"name\": \"bar\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000020.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 50.0, "
		"\"memory_usage\": 7600}},\n"
		"{\"name\": \"bar\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000030.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 0.0, "
		"\"memory_usage\": 0}},\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000040.0, \"ph\": \"E\"},\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000010.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 0.0, "
		"\"memory_usage\": 7728}},\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 101, "
		"\"ts\": 1700000000000040.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 0.0, "
		"\"memory_usage\": 0}}\n"
		"]\n");
}

static void a_compact_object_has_perfflowaspects_lines(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "log-event=compact:log-format=object:cpu-mem-usage=true");
	SPAN(100, FOO, .start_us = 10, .end_us = 40, .oncpu_us = 10, .rss_kib = 7728);
	finish(&fixture);
	assert_string_equal(fixture.files[0].path, "/scratch/run|./|perfflow.object.vm.100");
	assert_string_equal(
		text_of(&fixture, 0),
		"{\n  \"displayTimeUnit\": \"ms\",\n  \"otherData\": {\n\n  },\n  \"traceEvents\": "
		"[\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 100, "
		"\"ts\": 1700000000000010.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 33.33, "
		"\"memory_usage\": 7728}},\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 100, "
		"\"ts\": 1700000000000040.0, \"ph\": \"C\", \"args\": {\"cpu_usage\": 0.0, "
		"\"memory_usage\": 0}},\n"
		"{\"name\": \"foo\", \"cat\": \"solve.cpp\", \"pid\": 100, \"tid\": 100, "
		"\"ts\": 1700000000000010.0, \"ph\": \"X\", \"dur\": 30.0}\n"
		"  ]\n}\n");
}

static void calls_stand_in_the_order_of_time(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	for (uint64_t at = 0; at < 200; at += 100) {
		SPAN(100, BAS, .start_us = at + 30, .end_us = at + 40, .depth = 2);
		SPAN(100, BAR, .start_us = at + 20, .end_us = at + 50, .depth = 1);
		SPAN(100, FOO, .start_us = at + 10, .end_us = at + 60, .depth = 0);
	}
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0),
			    "B foo 10; B bar 20; B bas 30; E bas 40; E bar 50; E foo 60; "
			    "B foo 110; B bar 120; B bas 130; E bas 140; E bar 150; E foo 160");
}

static void compact_calls_stand_in_the_order_of_their_ends(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "log-event=Compact");
	SPAN(100, BAS, .start_us = 30, .end_us = 40, .depth = 1);
	SPAN(100, BAR, .start_us = 45, .end_us = 50, .depth = 1);
	SPAN(100, FOO, .start_us = 10, .end_us = 60, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "X bas 30+10; X bar 45+5; X foo 10+50");
}

static void recursion_has_each_calls_own_times(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "log-event=Compact:cpu-mem-usage=True");
	SPAN(100, FOO, .start_us = 30, .end_us = 40, .depth = 2, .rss_kib = 1);
	SPAN(100, FOO, .start_us = 20, .end_us = 50, .depth = 1, .rss_kib = 2);
	SPAN(100, FOO, .start_us = 10, .end_us = 60, .depth = 0, .rss_kib = 3);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "C foo 30 0.0/1; C foo 40 0.0/0; X foo 30+10; "
						"C foo 20 0.0/2; C foo 50 0.0/0; X foo 20+30; "
						"C foo 10 0.0/3; C foo 60 0.0/0; X foo 10+50");
}

static void threads_have_each_their_own_order(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, BAR, .tid = 101, .start_us = 20, .end_us = 30, .depth = 1);
	SPAN(100, BAR, .tid = 102, .start_us = 25, .end_us = 35, .depth = 1);
	SPAN(100, FOO, .tid = 102, .start_us = 15, .end_us = 38, .depth = 0);
	SPAN(100, FOO, .tid = 101, .start_us = 10, .end_us = 40, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B foo 15; B bar 25; E bar 35; E foo 38; "
						"B foo 10; B bar 20; E bar 30; E foo 40");
}

/* Readers make a tree of strict enclosure, and leave open what ends when it begins. */
static void calls_shorter_than_a_microsecond_still_nest(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, BAS, .start_us = 10, .start_ns = 400, .end_us = 10, .end_ns = 600, .depth = 2);
	SPAN(100, BAR, .start_us = 10, .start_ns = 200, .end_us = 10, .end_ns = 800, .depth = 1);
	SPAN(100, FOO, .start_us = 10, .end_us = 11, .depth = 0);
	SPAN(100, FOO, .start_us = 12, .start_ns = 1, .end_us = 12, .end_ns = 2, .depth = 0);
	SPAN(100, FOO, .start_us = 30, .end_us = 31, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0),
			    "B foo 10; B bar 11; B bas 12; E bas 13; E bar 14; E foo 15; "
			    "B foo 15; E foo 16; B foo 30; E foo 31");
}

static void what_is_faster_than_the_clock_does_not_run_ahead_of_it(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	const char *last;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	for (int i = 0; i < 1000; i++) { /* ten calls in a microsecond */
		SPAN(100, BAR, .start_us = 100 + i / 10, .end_us = 100 + i / 10, .depth = 1);
		SPAN(100, FOO, .start_us = 100 + i / 10, .end_us = 100 + i / 10, .depth = 0);
	}
	finish(&fixture);
	last = strrchr(shown(&fixture, 0), ' ');
	assert_true(atoi(last) <= 199 + 16);
}

/* What waits too long is written, and the beginning of what is around it put before it later. */
static void a_call_that_lasts_is_put_around_what_was_written_meanwhile(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, FOO, .start_us = 5, .end_us = 7, .depth = 0);
	SPAN(100, BAS, .start_us = 30, .end_us = 40, .depth = 2);
	assert_int_equal(fixture.sink->ops->flush(fixture.sink, 2000000000), 0);
	assert_string_equal(shown(&fixture, 0), "B foo 5; E foo 7; B bas 30; E bas 40");
	SPAN(100, BAR, .start_us = 20, .end_us = 50, .depth = 1);
	SPAN(100, BAR, .start_us = 60, .end_us = 70, .depth = 1);
	assert_int_equal(fixture.sink->ops->flush(fixture.sink, 4000000000), 0);
	assert_string_equal(shown(&fixture, 0), "B foo 5; E foo 7; B bar 20; B bas 30; E bas 40; "
						"E bar 50; B bar 60; E bar 70");
	SPAN(100, MAIN, .start_us = 10, .end_us = 80, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0),
			    "B foo 5; E foo 7; B main 10; B bar 20; B bas 30; E bas 40; E bar 50; "
			    "B bar 60; E bar 70; E main 80");
}

static void a_compact_call_that_lasts_has_its_own_beginning(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "log-event=compact");
	SPAN(100, BAS, .start_us = 30, .end_us = 40, .depth = 1);
	assert_int_equal(fixture.sink->ops->flush(fixture.sink, 2000000000), 0);
	assert_string_equal(shown(&fixture, 0), "X bas 30+10");
	SPAN(100, MAIN, .start_us = 10, .end_us = 80, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "X bas 30+10; X main 10+70");
}

/* Its function was left out, or is watched for a cflow() alone: nothing is told of it. */
static void a_call_that_is_never_told_of_leaves_nothing(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, BAS, .start_us = 30, .end_us = 40, .depth = 1);
	assert_int_equal(fixture.sink->ops->flush(fixture.sink, 2000000000), 0);
	SPAN(100, MAIN, .start_us = 50, .end_us = 80, .depth = 0); /* is another one */
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B bas 30; E bas 40; B main 50; E main 80");
}

static void many_calls_inside_of_one_do_not_wait_for_it(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	struct stat st;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	for (uint64_t i = 0; i < 20000; i++)
		SPAN(100, BAR, .start_us = 10 * i + 10, .end_us = 10 * i + 15, .depth = 1);
	assert_int_equal(fstat(fixture.files[0].fd, &st), 0);
	assert_true(st.st_size > 1000000);
	SPAN(100, MAIN, .start_us = 5, .end_us = 300000, .depth = 0);
	finish(&fixture);
	assert_int_equal(strncmp(shown(&fixture, 0), "B main 5; B bar 10; E bar 15; B bar 20;", 39),
			 0);
	assert_string_equal(strrchr(fixture.shown, ';'), "; E main 300000");
}

static void marks_are_beginnings_and_ends_in_both_modes(void **state)
{
	static const char *const options[] = {"log-event=verbose", "log-event=compact"};

	(void)state;
	labels[FOO].kind = labels[BAR].kind = SINK_MARK;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_cleanup_(fixture_done) struct fixture fixture;

		fixture_open(&fixture);
		execute(&fixture, 100, 5, options[i]);
		send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 10);
		send_mark(&fixture, 100, 100, BAR, PF_MOMENT_RETURN, 20);
		end_process(&fixture, 100);
		assert_string_equal(shown(&fixture, 0), "B foo 10; E bar 20");
	}
}

static void a_call_whose_return_is_not_seen_has_a_beginning_and_an_end(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 10);
	end_process(&fixture, 100);
	assert_string_equal(shown(&fixture, 0), "B foo 10; E foo 11");
}

static void a_mark_stands_inside_of_the_call_that_it_is_in(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[BAR].kind = SINK_MARK;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	send_mark(&fixture, 100, 100, BAR, PF_MOMENT_ENTRY, 20);
	SPAN(100, FOO, .start_us = 10, .end_us = 40, .depth = 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B foo 10; B bar 20; E foo 40");
}

static void around_async_has_one_number_for_both_ends_of_a_call(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[REQ].kind = SINK_ASYNC_SPAN;
	labels[REQ].scope = "io \"x\"";
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_ENTRY, 10);
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_ENTRY, 20); /* it calls itself */
	send_mark(&fixture, 100, 101, REQ, PF_MOMENT_ENTRY, 25); /* and another thread it, too */
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_RETURN, 30);
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_RETURN, 40);
	send_mark(&fixture, 100, 101, REQ, PF_MOMENT_RETURN, 50);
	finish(&fixture);
	assert_non_null(strstr(text_of(&fixture, 0),
			       "{\"name\": \"req\", \"cat\": \"solve.cpp\", \"pid\": 100, "
			       "\"tid\": 100, \"ts\": 1700000000000010.0, \"ph\": \"b\", "
			       "\"scope\": \"io \\\"x\\\"\", \"id\": 0},\n"));
	assert_non_null(strstr(shown(&fixture, 0), "b req 10 #0 io \"x\"; b req 20 #1 io \"x\"; "
						   "e req 30 #1 io \"x\"; e req 40 #0 io \"x\""));
	assert_non_null(strstr(fixture.shown, "b req 25 #2 io \"x\"; e req 50 #2 io \"x\""));
}

static void ends_take_the_numbers_of_the_beginnings_of_their_scope(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[FOO].kind = labels[OTHER].kind = SINK_ASYNC_BEGIN;
	labels[BAR].kind = labels[BAS].kind = SINK_ASYNC_END;
	labels[FOO].scope = labels[BAR].scope = "req";
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	send_mark(&fixture, 100, 100, OTHER, PF_MOMENT_ENTRY, 10);
	send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 20);
	send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 30);
	send_mark(&fixture, 100, 100, BAR, PF_MOMENT_RETURN, 40);
	send_mark(&fixture, 100, 100, BAR, PF_MOMENT_RETURN, 50);
	send_mark(&fixture, 100, 100, BAS, PF_MOMENT_RETURN, 60);
	send_mark(&fixture, 100, 100, BAS, PF_MOMENT_RETURN, 70);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0),
			    "b other 10 #0 NA; b foo 20 #1 req; b foo 30 #2 req; e bar 40 #1 req; "
			    "e bar 50 #2 req; e bas 60 #0 NA; e bas 70 #3 NA");
}

static void an_id_that_was_captured_is_the_id(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;
	struct record record = make_mark(PF_MOMENT_ENTRY, 10000, 100, 100);

	(void)state;
	labels[REQ].kind = SINK_ASYNC_SPAN;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	record.event.header.joinpoint = REQ;
	put_id(&record, 4711);
	assert_int_equal(fixture.sink->ops->mark(fixture.sink, &record.event, &labels[REQ]), 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "b req 10 #4711 NA");
}

static void flows_are_where_perfflowaspect_has_them_and_pair(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[FOO].flow = SINK_FLOW_OUT;
	labels[BAR].flow = SINK_FLOW_INOUT;
	labels[BAS].flow = SINK_FLOW_IN;
	labels[MAIN].flow = SINK_FLOW_OUTIN;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, FOO, .start_us = 10, .end_us = 20);
	SPAN(100, BAR, .start_us = 30, .end_us = 40);
	SPAN(100, BAS, .start_us = 50, .end_us = 60);
	SPAN(100, MAIN, .start_us = 70, .end_us = 80);
	finish(&fixture);
	assert_non_null(strstr(text_of(&fixture, 0),
			       "{\"name\": \"flow\", \"cat\": \"flow\", \"pid\": 100, "
			       "\"tid\": 100, \"ts\": 1700000000000011.0, \"ph\": \"s\", "
			       "\"bp\": \"e\", \"id\": 100},\n"));
	assert_string_equal(shown(&fixture, 0),
			    "B foo 10; s flow 11 #100; E foo 20; "
			    "B bar 30; f flow 31 #100; s flow 40 #101; E bar 41; "
			    "B bas 50; f flow 51 #101; E bas 60; "
			    "B main 70; s flow 71 #102; f flow 80 #102; E main 81");
}

static void flows_of_marks_and_of_async_calls_are_beside_them(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[FOO].kind = labels[BAR].kind = SINK_MARK;
	labels[FOO].flow = SINK_FLOW_OUT;
	labels[BAR].flow = SINK_FLOW_IN;
	labels[REQ].kind = SINK_ASYNC_SPAN;
	labels[REQ].flow = SINK_FLOW_IN;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 10);
	send_mark(&fixture, 100, 100, BAR, PF_MOMENT_RETURN, 20);
	send_mark(&fixture, 100, 100, FOO, PF_MOMENT_ENTRY, 30);
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_ENTRY, 40);
	send_mark(&fixture, 100, 100, REQ, PF_MOMENT_RETURN, 50);
	finish(&fixture);
	assert_string_equal(
		shown(&fixture, 0),
		"B foo 10; s flow 11 #100; f flow 20 #100; E bar 21; "
		"B foo 30; s flow 31 #101; b req 40 #0 NA; f flow 40 #101; e req 50 #0 NA");
}

/* A call is told of when it has returned: the short one that takes what a long one has sent comes
 * first. */
static void a_flow_out_of_a_long_call_is_found_by_the_short_one(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	labels[FOO].flow = SINK_FLOW_OUT;
	labels[BAR].flow = SINK_FLOW_IN;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, BAR, .tid = 102, .start_us = 3, .end_us = 4); /* before anything was sent */
	SPAN(100, BAR, .tid = 102, .start_us = 20, .end_us = 30);
	SPAN(100, FOO, .tid = 101, .start_us = 10, .end_us = 100);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B bar 3; f flow 4 #100; E bar 5; "
						"B bar 20; f flow 21 #101; E bar 30; "
						"B foo 10; s flow 11 #101; E foo 100");
}

static void a_process_without_events_or_that_wants_none_has_no_file(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	execute(&fixture, 200, 5, "log-enable=False");
	SPAN(200, FOO, .start_us = 10, .end_us = 20);
	finish(&fixture);
	assert_int_equal(fixture.n_files, 0);
}

static void each_process_has_its_own_file_as_it_wants_it(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "name=a:log-filename-include=name:log-dir=/var/x");
	execute(&fixture, 200, 5, "log-event=compact");
	SPAN(100, FOO, .start_us = 10, .end_us = 20);
	SPAN(200, FOO, .start_us = 10, .end_us = 20);
	end_process(&fixture, 100);
	assert_string_equal(fixture.files[0].path, "/scratch/run|/var/x|perfflow.array.a");
	assert_false(fixture.files[0].request.name_has_pid);
	assert_true(fixture.files[0].request.has_owner);
	assert_int_equal(fixture.files[0].request.uid, 1000);
	assert_int_equal(fixture.files[0].request.gid, 100);
	assert_string_equal(shown(&fixture, 0), "B foo 10; E foo 20"); /* at its end already */
	finish(&fixture);
	assert_string_equal(fixture.files[1].path, "/scratch/run|./|perfflow.array.vm.200");
	assert_true(fixture.files[1].request.name_has_pid);
	assert_string_equal(shown(&fixture, 1), "X foo 10+10");
}

static void a_process_of_which_nothing_is_known_has_a_file_too(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	SPAN(100, FOO, .start_us = 10, .end_us = 20);
	finish(&fixture);
	assert_string_equal(fixture.files[0].path, "|./|perfflow.array.vm.100");
	assert_false(fixture.files[0].request.has_owner);
}

static void another_program_goes_on_in_the_file_unless_it_wants_another(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	SPAN(100, FOO, .start_us = 10, .end_us = 20);
	execute(&fixture, 100, 25000, "log-event=compact");
	SPAN(100, FOO, .start_us = 30, .end_us = 40);
	execute(&fixture, 100, 45000, "log-format=object");
	SPAN(100, FOO, .start_us = 50, .end_us = 60);
	finish(&fixture);
	assert_int_equal(fixture.n_files, 2);
	assert_string_equal(shown(&fixture, 0), "B foo 10; E foo 20; X foo 30+10");
	assert_string_equal(fixture.files[1].path, "/scratch/run|./|perfflow.object.vm.100");
}

static void the_instance_path_grows_with_each_program_that_is_woven(void **state)
{
	const char *options = "log-filename-include=instance-path";
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	for (unsigned int i = 0; i < 5; i++) {
		fixture.woven_program = i == 1 || i == 2 ? "solver" : "another";
		execute(&fixture, 100, 20000 * i + 5, options);
		SPAN(100, FOO, .start_us = 20 * i + 10, .end_us = 20 * i + 20);
	}
	finish(&fixture);
	assert_int_equal(fixture.n_files, 3);
	assert_string_equal(fixture.files[0].path, "/scratch/run|./|perfflow.array.{356a192b}");
	assert_string_equal(shown(&fixture, 0), "B foo 10; E foo 20; B foo 30; E foo 40");
	assert_string_equal(fixture.files[1].path,
			    "/scratch/run|./|perfflow.array.{356a192b.356a192b}");
	assert_string_equal(fixture.files[2].path,
			    "/scratch/run|./|perfflow.array.{356a192b.356a192b.356a192b}");
	assert_string_equal(shown(&fixture, 2), "B foo 70; E foo 80; B foo 90; E foo 100");
}

static void what_is_wrong_with_options_is_said_once(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "log-enable=maybe");
	execute(&fixture, 200, 5, "log-enable=maybe:a\x1b[31m");
	assert_int_equal(fixture.warnings.n_items, 2);
	assert_string_equal(
		fixture.warnings.items[0],
		"process 100 (solver): perfflow invalid option: log-enable=[True|False]");
	assert_string_equal(fixture.warnings.items[1],
			    "process 200 (solver): Ill-formed option: a?[31m");
}

static void a_process_without_a_file_loses_its_events_and_the_user_is_told(void **state)
{
	const struct made_span span = {FOO, .start_us = 10, .end_us = 20};
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	execute(&fixture, 200, 5, NULL);
	fixture.refusal = -EACCES;
	for (int i = 0; i < 3; i++)
		assert_int_equal(try_span(&fixture, 100, &span), -EACCES);
	fixture.refusal = 0;
	SPAN(200, FOO, .start_us = 10, .end_us = 20);
	finish(&fixture);
	assert_int_equal(fixture.n_files, 1);
	assert_int_equal(fixture.warnings.n_items, 1);
	assert_string_equal(fixture.warnings.items[0],
			    "process 100 (solver): there is no file for it: the folder is locked");
}

static void a_name_that_the_program_gives_is_the_name(void **state)
{
	static const struct sink_value values[] = {{.name = "name", .format = SINK_STRING},
						   {.name = "category", .format = SINK_STRING}};
	_cleanup_(fixture_done) struct fixture fixture;
	struct record record = {.event = {.span = {.event = {.size = sizeof(struct pf_span),
							     .kind = PF_EVENT_SPAN,
							     .joinpoint = FOO,
							     .time_ns = 10000,
							     .pid = 100,
							     .tid = 100},
						   .duration_ns = 5000}}};

	(void)state;
	labels[FOO].values = values;
	labels[FOO].n_values = 2;
	labels[FOO].name_value = 0;
	labels[FOO].category_value = 1;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, NULL);
	put_argument(&record, 0, "assemble", 8);
	put_argument(&record, 1, "solver", 6);
	assert_int_equal(fixture.sink->ops->span(fixture.sink, &record.event, &labels[FOO]), 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B assemble 10; E assemble 15");
	assert_non_null(strstr(text_of(&fixture, 0), "\"cat\": \"solver\""));
}

static void memory_that_was_not_measured_is_what_it_was(void **state)
{
	_cleanup_(fixture_done) struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	execute(&fixture, 100, 5, "cpu-mem-usage=True:log-event=compact");
	SPAN(100, FOO, .start_us = 10, .end_us = 20, .rss_kib = 7600);
	SPAN(100, FOO, .start_us = 30, .end_us = 40);
	finish(&fixture);
	assert_non_null(strstr(shown(&fixture, 0), "C foo 30 0.0/7600"));
}

static void a_tee_hands_everything_to_both(void **state)
{
	struct trace trace = {0};
	const struct sink_start start = {.version = "1",
					 .host = "vm",
					 .boot_id = "b",
					 .aspects = (const char *const[]){NULL}};
	struct sink *tee;
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture);
	trace_open_as(&trace, &start);
	assert_int_equal(tee_new(trace.sink, fixture.sink, &tee), 0);
	fixture.sink = trace.sink = tee;
	execute(&fixture, 100, 5, NULL);
	SPAN(100, FOO, .start_us = 10, .end_us = 20);
	assert_int_equal(tee->ops->flush(tee, 1), 0);
	finish(&fixture);
	assert_string_equal(shown(&fixture, 0), "B foo 10; E foo 20");
	assert_non_null(strstr(trace_text(&trace), "\"name\":\"foo\""));
	assert_non_null(strstr(trace_text(&trace), "perfflow_summary"));
	trace.sink = NULL;
	trace_close(&trace);
	fixture_done(&fixture);
}

#define TEST(function) cmocka_unit_test_setup(function, set_up_labels)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_verbose_file_has_perfflowaspects_lines),
		TEST(a_compact_object_has_perfflowaspects_lines),
		TEST(calls_stand_in_the_order_of_time),
		TEST(compact_calls_stand_in_the_order_of_their_ends),
		TEST(recursion_has_each_calls_own_times),
		TEST(threads_have_each_their_own_order),
		TEST(calls_shorter_than_a_microsecond_still_nest),
		TEST(what_is_faster_than_the_clock_does_not_run_ahead_of_it),
		TEST(a_call_that_lasts_is_put_around_what_was_written_meanwhile),
		TEST(a_compact_call_that_lasts_has_its_own_beginning),
		TEST(a_call_that_is_never_told_of_leaves_nothing),
		TEST(many_calls_inside_of_one_do_not_wait_for_it),
		TEST(marks_are_beginnings_and_ends_in_both_modes),
		TEST(a_call_whose_return_is_not_seen_has_a_beginning_and_an_end),
		TEST(a_mark_stands_inside_of_the_call_that_it_is_in),
		TEST(around_async_has_one_number_for_both_ends_of_a_call),
		TEST(ends_take_the_numbers_of_the_beginnings_of_their_scope),
		TEST(an_id_that_was_captured_is_the_id),
		TEST(flows_are_where_perfflowaspect_has_them_and_pair),
		TEST(flows_of_marks_and_of_async_calls_are_beside_them),
		TEST(a_flow_out_of_a_long_call_is_found_by_the_short_one),
		TEST(a_process_without_events_or_that_wants_none_has_no_file),
		TEST(each_process_has_its_own_file_as_it_wants_it),
		TEST(a_process_of_which_nothing_is_known_has_a_file_too),
		TEST(another_program_goes_on_in_the_file_unless_it_wants_another),
		TEST(the_instance_path_grows_with_each_program_that_is_woven),
		TEST(what_is_wrong_with_options_is_said_once),
		TEST(a_process_without_a_file_loses_its_events_and_the_user_is_told),
		TEST(a_name_that_the_program_gives_is_the_name),
		TEST(memory_that_was_not_measured_is_what_it_was),
		TEST(a_tee_hands_everything_to_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
