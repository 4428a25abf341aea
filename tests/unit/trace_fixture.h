/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tests/unit/trace_fixture.h - a Chrome trace in memory, and records to put into it */
#ifndef PERFFLOW_TESTS_TRACE_FIXTURE_H
#define PERFFLOW_TESTS_TRACE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/output.h"
#include "sink/sink.h"

struct trace {
	struct sink *sink;
	int fd; /* of the file */
	char *text;
};

static inline void trace_open_as(struct trace *trace, const struct sink_start *start)
{
	struct output *output;

	trace->fd = memfd_create("trace", MFD_CLOEXEC);
	assert_true(trace->fd >= 0);
	assert_int_equal(output_open(dup(trace->fd), false, -1, &output), 0);
	assert_int_equal(sink_new("chrome", output, start, &trace->sink), 0);
}

/* What is in the file; valid until the next call. */
static inline const char *trace_text(struct trace *trace)
{
	struct stat st;

	assert_int_equal(fstat(trace->fd, &st), 0);
	free(trace->text);
	trace->text = calloc(1, st.st_size + 1);
	assert_int_equal(pread(trace->fd, trace->text, st.st_size, 0), st.st_size);
	return trace->text;
}

/* The last line so far, or one above it. */
static inline const char *trace_line_above(struct trace *trace, unsigned int n)
{
	char *line;

	assert_int_equal(output_flush(trace->sink->output), 0);
	trace_text(trace);
	while (n--)
		*strrchr(trace->text, '\n') = '\0';
	line = strrchr(trace->text, '\n') + 1;
	if (*line && line[strlen(line) - 1] == ',')
		line[strlen(line) - 1] = '\0';
	return line;
}

static inline const char *trace_line(struct trace *trace)
{
	return trace_line_above(trace, 0);
}

static inline unsigned int trace_n_lines(struct trace *trace)
{
	unsigned int n = 0;

	assert_int_equal(output_flush(trace->sink->output), 0);
	for (const char *p = trace_text(trace); (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static inline void trace_close(struct trace *trace)
{
	sink_free(trace->sink);
	close(trace->fd);
	free(trace->text);
}

static inline struct json_object *trace_finish(struct trace *trace,
					       const struct sink_summary *summary)
{
	struct json_object *events;

	assert_int_equal(trace->sink->ops->finish(trace->sink, summary), 0);
	events = json_tokener_parse(trace_text(trace));
	assert_non_null(events);
	return events;
}

static inline struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	if (!value)
		fail_msg("no %s in %s", name, json_object_to_json_string(object));
	return value;
}

/* The args of the last event of a finished trace: its summary. */
static inline struct json_object *summary_of(struct json_object *events)
{
	size_t n = json_object_array_length(events);

	return member(json_object_array_get_idx(events, n - 1), "args");
}

/* A span or mark, and room for its items: where the event points, once it has some. */
struct record {
	struct event event;
	uint64_t items[512]; /* as much as the kernel side sends */
};

static inline struct record make_mark(enum pf_moment moment, uint64_t time_ns, uint32_t pid,
				      uint32_t tid)
{
	return (struct record){.event = {.mark = {.event = {.size = sizeof(struct pf_mark),
							    .kind = PF_EVENT_MARK,
							    .joinpoint = 3,
							    .time_ns = time_ns,
							    .pid = pid,
							    .tid = tid},
						  .moment = moment}}};
}

static inline void put_item(struct record *record, struct pf_item item, const void *value)
{
	size_t fixed = record->event.header.kind == PF_EVENT_SPAN ? sizeof(struct pf_span)
								  : sizeof(struct pf_mark);
	char *end = (char *)record->items + record->event.header.size - fixed;

	memcpy(end, &item, sizeof(item));
	if (value)
		memcpy(end + sizeof(item), value, item.size);
	record->event.header.size += sizeof(item) + ((item.size + 7) & ~7);
	record->event.items = (struct pf_item *)record->items;
}

static inline void put_argument(struct record *record, unsigned int index, const void *value,
				size_t size)
{
	put_item(record, (struct pf_item){.kind = PF_ITEM_ARGUMENT, .index = index, .size = size},
		 value);
}

static inline void put_id(struct record *record, uint64_t id)
{
	put_item(record, (struct pf_item){.kind = PF_ITEM_ID, .size = sizeof(id)}, &id);
}

static inline void send_process(struct trace *trace, uint32_t pid, uint64_t start_ns,
				const char *line, size_t size)
{
	struct pf_process_seen process = {
		.event = {.time_ns = 9000, .pid = pid, .tid = pid},
		.start_ns = start_ns,
		.command_line_bytes = size,
		.comm = "short",
	};

	memcpy(process.command_line, line, size);
	assert_int_equal(trace->sink->ops->process(trace->sink, &process), 0);
}

#endif
