/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Records as a ring may hold them: whatever is accepted is walked over and written as a trace in pieces, each of which has to be
 * valid JSON. The input is a row of records, each as long as its header says.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/output.h"
#include "sink/sink.h"
#include "trace/order.h"

#define N_KINDS 5 /* enum sink_kind */
#define PIECE_EVENTS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sink_value values[PF_MAX_CAPTURES] = {
	{.name = "a", .format = SINK_SIGNED, .size = 4},
	{.name = "b", .format = SINK_UNSIGNED, .size = 8},
	{.name = "c\"\\\xff", .format = SINK_FLOAT, .size = 8},
	{.name = "end", .format = SINK_POINTER, .size = 8},
	{.name = "d", .format = SINK_BOOL, .size = 1},
	{.name = "e", .format = SINK_CHAR, .size = 4},
	{.name = "f", .format = SINK_STRING},
	{.name = NULL, .format = SINK_FLOAT, .size = 4},
	{.name = "g", .format = SINK_CHAR, .size = 1},
	{.name = "h", .format = SINK_SIGNED, .size = 3},
};

/* Two join points of each kind. */
static struct sink_label label_of(uint32_t joinpoint)
{
	return (struct sink_label){
		.name = "name",
		.category = "category",
		.kind = joinpoint % N_KINDS,
		.values = values,
		.n_values = PF_MAX_CAPTURES - 2,
		.name_value = joinpoint % 2 ? (int)(joinpoint / N_KINDS % PF_MAX_CAPTURES) : -1,
		.scope_value = joinpoint % 5 ? -1 : 0,
		.id_value = joinpoint % 3 ? (int)(joinpoint / N_KINDS % PF_MAX_CAPTURES) : -1,
	};
}

static void write_event(struct sink *sink, const struct event *event)
{
	const struct sink_label label = label_of(event->header.joinpoint % 64);

	switch (event->header.kind) {
	case PF_EVENT_SPAN:
		sink->ops->span(sink, event, &label);
		break;
	case PF_EVENT_MARK:
		sink->ops->mark(sink, event, &label);
		break;
	case PF_EVENT_PROCESS:
		sink->ops->process(sink, event->process);
		break;
	case PF_EVENT_PROCESS_END:
		sink->ops->process_end(sink, &event->process_end);
		break;
	case PF_EVENT_THREAD:
		sink->ops->thread(sink, &event->thread);
		break;
	case PF_EVENT_FORK:
		sink->ops->fork(sink, &event->fork);
		break;
	case PF_EVENT_SWITCH:
		sink->ops->cpu_switch(sink, &event->cpu_switch);
		break;
	case PF_EVENT_WAKE:
		sink->ops->wake(sink, &event->wake);
		break;
	}
}

static void push_all(struct order *order, const uint8_t *data, size_t size)
{
	struct pf_event header;
	struct event event;

	while (size >= sizeof(header)) {
		memcpy(&header, data, sizeof(header));
		if (header.size < sizeof(header) || header.size > size)
			return;
		if (event_decode(data, header.size, &event) == 0) {
			event.header.joinpoint %= 64; /* else the sink keeps millions of them */
			if (order_push(order, 0, &event) < 0)
				event_done(&event);
		}
		data += header.size;
		size -= header.size;
	}
}

/* A summary has ended it. */
static void check_json(int fd)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0)
		abort();
	text = calloc(1, st.st_size + 1);
	if (!text || pread(fd, text, st.st_size, 0) != st.st_size)
		abort();
	json_object *events = json_tokener_parse(text);
	if (!json_object_is_type(events, json_type_array))
		abort();
	json_object_put(events);
	free(text);
}

static bool has_ended(uint32_t pid, uint32_t tid)
{
	return (pid ^ tid) & 1;
}

static void next_piece(struct sink *sink, unsigned int number, uint64_t time_ns, int *fd)
{
	const struct sink_summary summary = {.reason = "continued", .time_ns = time_ns};
	const struct sink_piece piece = {.number = number, .time_ns = time_ns, .clock = {.boot_ns = time_ns}};
	int next = memfd_create("trace", MFD_CLOEXEC);

	if (next < 0 || sink->ops->next_piece(sink, dup(next), &summary, &piece) < 0)
		abort();
	check_json(*fd);
	close(*fd);
	*fd = next;
}

static void write_all(struct sink *sink, struct order *order, int *fd)
{
	const struct event *event;
	unsigned int n = 0;

	while (order_pop(order, UINT64_MAX, &event) == 1) {
		write_event(sink, event);
		if (++n % PIECE_EVENTS == 0)
			next_piece(sink, n / PIECE_EVENTS + 1, event->order_ns, fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hw_names[] = {"cycles", NULL};
	const struct sink_start start = {
		.version = "0", .host = "h", .boot_id = "b", .hw_names = hw_names, .thread_has_ended = has_ended};
	const struct sink_summary summary = {.reason = "stopped", .time_ns = 1};
	int fd = memfd_create("trace", MFD_CLOEXEC);
	struct output *output;
	struct order *order;
	struct sink *sink;

	if (fd < 0 || output_open(dup(fd), false, -1, &output) < 0 || sink_new("chrome", output, &start, &sink) < 0 ||
	    order_new(1, 0, 1 << 20, &order) < 0)
		abort();
	push_all(order, data, size);
	write_all(sink, order, &fd);
	if (sink->ops->finish(sink, &summary) < 0)
		abort();
	check_json(fd);
	order_free(order);
	sink_free(sink);
	close(fd);
	return 0;
}
