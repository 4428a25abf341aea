/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Spans and marks are left out here where the kernel side could not tell that nobody wants them; the rest goes to the sink as it is. */
#include "session/pipeline_internal.h"

#include <string.h>

#include "probe/python.h"

/* Of a value that was captured as a string, cut at the size of the buffer; "" if there is none. */
static const char *copy_text(const struct event *event, unsigned int index, char *buffer, size_t size)
{
	const struct pf_item *item = NULL;
	size_t n;

	buffer[0] = '\0';
	while (event->items && (item = event_next_item(event, item))) {
		if (item->kind != PF_ITEM_ARGUMENT || item->index != index || item->is_missing)
			continue;
		n = item->size < size ? item->size : size - 1;
		memcpy(buffer, item_value(item), n);
		buffer[n] = '\0';
		break;
	}
	return buffer;
}

/* Whether a call is wanted that is one of any that a Python interpreter tells of. */
static bool is_selected(const struct pipeline *pipeline, const struct event *event)
{
	char name[PF_MAX_STRING_BYTES + 1], file[PF_MAX_STRING_BYTES + 1];

	if (!pipeline->config.python || !labels_are_of_any_call(pipeline->config.labels, event->header.joinpoint))
		return true;
	return python_selects(pipeline->config.python, copy_text(event, 1, file, sizeof(file)),
			      copy_text(event, 0, name, sizeof(name)));
}

/* What a program announces itself may never come: then somebody asks. */
static void note_event(struct pipeline *pipeline, const struct event *event, const struct sink_label *label)
{
	if (label->category_value >= 0)
		labels_note_event(pipeline->config.labels, event->header.joinpoint);
}

/*
 * The id of what begins is known at the return: the call has come as a span then, which has its entry as well. One that has not
 * returned brings no id.
 */
static bool is_late_begin(const struct event *event, const struct sink_label *label)
{
	return event->header.kind == PF_EVENT_SPAN && label->kind == SINK_ASYNC_BEGIN;
}

static struct event begin_of(const struct event *call)
{
	struct event begin = {
		.order_ns = call->order_ns,
		.items = call->items,
		.mark = { .event = call->header, .atoms = call->span.atoms, .moment = PF_MOMENT_ENTRY, .end = call->span.end },
	};

	begin.header.kind = PF_EVENT_MARK;
	begin.header.size -= sizeof(call->span) - sizeof(begin.mark);
	return begin;
}

/* Hands a span or mark on; of what PerfFlowAspect's runtime was told, as one of the function that it is about. */
static int hand_on(struct pipeline *pipeline, const struct event *event, const struct sink_label *label)
{
	uint32_t first_told = labels_told(pipeline->config.labels, event->header.joinpoint);
	struct sink *sink = pipeline->config.sink;
	struct event of_function;
	int r = 0;

	if (!sink)
		return 0;
	if (first_told) {
		of_function = *event;
		r = woven_labels_find(pipeline->woven_labels, event, first_told, &label, &of_function.header.joinpoint);
		event = &of_function;
	}
	if (r < 0)
		return r;
	return event->header.kind == PF_EVENT_SPAN ? sink->ops->span(sink, event, label) : sink->ops->mark(sink, event, label);
}

static int write_span(struct pipeline *pipeline, const struct event *event, const struct sink_label *label)
{
	pipeline_add(&pipeline->counts.n_spans, 1);
	pipeline->n_ends[event->span.end]++;
	return hand_on(pipeline, event, label);
}

static int write_mark(struct pipeline *pipeline, const struct event *event, const struct sink_label *label)
{
	pipeline_add(&pipeline->counts.n_marks, 1);
	return hand_on(pipeline, event, label);
}

static int write_call(struct pipeline *pipeline, const struct event *event, uint32_t atoms)
{
	const struct sink_label *label = labels_find(pipeline->config.labels, event->header.joinpoint);
	struct event begin;

	if (!label) {
		pipeline_add(&pipeline->counts.n_bad_records, 1);
		return 0;
	}
	if (!pipeline_wants(pipeline, event, atoms) || !is_selected(pipeline, event))
		return 0;
	note_event(pipeline, event, label);
	if (is_late_begin(event, label)) {
		begin = begin_of(event);
		return write_mark(pipeline, &begin, label);
	}
	return event->header.kind == PF_EVENT_SPAN ? write_span(pipeline, event, label) : write_mark(pipeline, event, label);
}

int pipeline_write_event(struct pipeline *pipeline, const struct event *event)
{
	struct sink *sink = pipeline->config.sink;

	switch (event->header.kind) {
	case PF_EVENT_SPAN:
		return write_call(pipeline, event, event->span.atoms);
	case PF_EVENT_MARK:
		return write_call(pipeline, event, event->mark.atoms);
	case PF_EVENT_PROCESS:
		return pipeline_write_process(pipeline, event->process);
	case PF_EVENT_PROCESS_TEXT:
		return pipeline_note_identity(pipeline, event->header.pid, identities_text(pipeline->identities, event->text));
	case PF_EVENT_THREAD:
		return sink && pipeline_shows(pipeline, event->header.pid) ? sink->ops->thread(sink, &event->thread) : 0;
	case PF_EVENT_PROCESS_END:
		return pipeline_write_process_end(pipeline, &event->process_end);
	case PF_EVENT_FORK:
		return pipeline_write_fork(pipeline, &event->fork);
	case PF_EVENT_SWITCH:
		return sink ? sink->ops->cpu_switch(sink, &event->cpu_switch) : 0;
	case PF_EVENT_WAKE:
		return sink ? sink->ops->wake(sink, &event->wake) : 0;
	}
	return 0;
}
