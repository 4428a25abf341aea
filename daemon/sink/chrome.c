/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One array, one event a line, and the comma before each event but the first: whatever cuts the
 * file off between two lines leaves one that every viewer opens. Times are boot nanoseconds,
 * printed as microseconds with three decimals by integer division.
 *
 * Spans are formatted by hand, straight into the output's buffer: a library that builds a tree per
 * event costs twenty times as much. What is the same for all spans of a join point is escaped once
 * and kept, by its number. What carries values, and what is rare, is put together in a text first.
 *
 * This file has what there is much of: spans, plain marks, counters. chrome_internal.h lists the
 * others.
 */
#include "sink/chrome.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/output.h"
#include "sink/put.h"

#define MAX_SPAN_BYTES 512 /* of a span's line without its prefix */

/*
 * The part of the duration on a CPU in hundredths of a percent, rounded. A span shorter than the
 * clock can tell was on a CPU for all of it: its thread entered and left the function.
 */
static uint64_t cpu_usage(const struct pf_span *span)
{
	uint64_t part = span->oncpu_ns, whole = span->duration_ns;

	if (whole == 0)
		return 10000;
	if (whole >= 1ULL << 50) { /* 13 days: a millisecond is not seen in the result */
		part >>= 20;
		whole >>= 20;
	}
	return (part * 10000 + whole / 2) / whole;
}

static inline char *put_cpu_usage(char *p, const struct pf_span *span)
{
	unsigned int usage = cpu_usage(span);

	p = put_number(p, usage / 100);
	*p++ = '.';
	return put_pair(p, usage % 100);
}

/* All behind the prefix but the brackets that end it. */
static inline char *put_span(char *p, const struct chrome *chrome, const struct pf_span *span)
{
	const char *end = event_end_name(span->end);

	p = put_literal(p, "X\",\"ts\":");
	p = put_thousandths(p, span->event.time_ns);
	p = put_literal(p, ",\"dur\":");
	p = put_thousandths(p, span->duration_ns);
	p = chrome_put_pid_tid(p, chrome, span->event.pid, span->event.tid);
	p = put_literal(p, ",\"args\":{\"cpu_usage\":");
	p = put_cpu_usage(p, span);
	p = put_literal(p, ",\"oncpu_us\":");
	p = put_thousandths(p, span->oncpu_ns);
	p = put_literal(p, ",\"runnable_us\":");
	p = put_thousandths(p, span->runnable_ns);
	p = put_literal(p, ",\"blocked_us\":");
	p = put_thousandths(p, span->duration_ns - span->oncpu_ns - span->runnable_ns);
	if (span->io_ns) {
		p = put_literal(p, ",\"io_us\":");
		p = put_thousandths(p, span->io_ns);
	}
	if (end) {
		p = put_literal(p, ",\"end\":\"");
		p = put_string(p, end);
		*p++ = '"';
	}
	if (span->begin == PF_BEGIN_FORK)
		p = put_literal(p, ",\"begin\":\"fork\"");
	return p;
}

/* One with items. */
static int write_rich_span(struct chrome *chrome, const struct event *event,
			   const struct sink_label *label)
{
	struct text *line = &chrome->line;
	char fixed[MAX_SPAN_BYTES];
	struct prefix prefix;
	const char *name, *category;
	int r;

	line->size = 0;
	r = chrome_find_names(chrome, event, label, &name, &category);
	if (r == 0 && (name != label->name || category != label->category)) {
		r = chrome_append_prefix(line, name, category);
	} else if (r == 0) {
		r = chrome_find_prefix(chrome, event->header.joinpoint, label, &prefix);
		r = r ?: text_append(line, prefix.data, prefix.size);
	}
	r = r ?: text_append(line, fixed, put_span(fixed, chrome, &event->span) - fixed);
	r = r ?: chrome_append_items(chrome, event, label);
	return r ?: chrome_end_args(chrome);
}

static int chrome_span(struct sink *sink, const struct event *event, const struct sink_label *label)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct prefix prefix;
	char *line, *p;
	int r;

	if (event->items)
		return write_rich_span(chrome, event, label);
	r = chrome_find_prefix(chrome, event->header.joinpoint, label, &prefix);
	if (r < 0)
		return r;

	line = output_reserve(sink->output, prefix.size + MAX_SPAN_BYTES);
	p = (char *)memcpy(line, prefix.data, prefix.size) + prefix.size;
	p = put_span(p, chrome, &event->span);
	p = put_literal(p, "}}");
	output_commit(sink->output, p - line);
	return output_error(sink->output);
}

/* Of an asynchronous span the name that a value tells may be known at one of its ends alone. */
static const char *async_key(const struct sink_label *label, const char *name, const char *scope)
{
	return scope ?: label->kind == SINK_ASYNC_SPAN ? label->name : name;
}

static int chrome_mark(struct sink *sink, const struct event *event, const struct sink_label *label)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct sink_label named = *label;
	struct prefix prefix;
	const char *scope;
	int r;

	/* what is kept of the join point is made from its own label, before another name comes into it */
	r = chrome_find_prefix(chrome, event->header.joinpoint, label, &prefix);
	r = r ?: chrome_find_names(chrome, event, label, &named.name, &named.category);
	r = r ?: chrome_find_scope(chrome, event, label, &scope);
	if (r < 0)
		return r;
	if (label->kind != SINK_SPAN && label->kind != SINK_MARK)
		return chrome_async_mark(chrome, event, &named,
					 async_key(label, named.name, scope));
	return chrome_moment(chrome, event, &named);
}

static int chrome_counter(struct sink *sink, const struct sink_counter *counter)
{
	struct chrome *chrome = (struct chrome *)sink;
	const struct pf_event event = {
		.time_ns = counter->time_ns, .pid = counter->pid, .tid = counter->pid};
	char value[PUT_NUMBER_BYTES], *end = put_thousandths(value, counter->thousandths);
	int r = 0;

	if (!counter->pid)
		r = chrome_name_machine(chrome, counter->time_ns);
	r = r ?: chrome_begin_line(chrome, counter->name, counter->category, "C", &event);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_key(&chrome->line, counter->value_name);
	r = r ?: text_append(&chrome->line, value, end - value);
	return r ?: chrome_end_args(chrome);
}

static int chrome_open(struct sink *sink, const struct sink_start *start)
{
	struct chrome *chrome = (struct chrome *)sink;
	int r;

	chrome->hw_names = start->hw_names;
	chrome->symbolize = start->symbolize;
	chrome->symbolize_opaque = start->symbolize_opaque;
	chrome->user_name = start->user_name;
	chrome->user_opaque = start->user_opaque;
	chrome->thread_has_ended = start->thread_has_ended;
	chrome->piece = start->thread_has_ended ? 1 : 0;
	chrome->host = strdup(start->host ?: "");
	if (!chrome->host)
		return -ENOMEM;
	r = async_new(CHROME_MAX_ASYNCS, &chrome->async);
	return r ?: chrome_write_start(chrome, start);
}

static int chrome_finish(struct sink *sink, const struct sink_summary *summary)
{
	struct chrome *chrome = (struct chrome *)sink;
	int r;

	r = chrome_finish_asyncs(chrome, summary->time_ns);
	r = r ?: chrome_finish_sched(chrome, summary->time_ns);
	r = r ?: chrome_write_summary(chrome, summary);
	/* ended even without its summary: what there is can be read */
	return output_finish(sink->output) < 0 ? output_error(sink->output) : r;
}

static void chrome_free(struct sink *sink)
{
	struct chrome *chrome = (struct chrome *)sink;

	chrome_free_processes(chrome);
	chrome_free_sched(chrome);
	async_free(chrome->async);
	chrome_free_prefixes(chrome);
	free(chrome->host);
	text_done(&chrome->head);
	text_done(&chrome->name);
	text_done(&chrome->category);
	text_done(&chrome->scope);
	text_done(&chrome->symbol);
	text_done(&chrome->line);
}

const struct sink_ops chrome_sink_ops = {
	.name = "chrome",
	.size = sizeof(struct chrome),
	.open = chrome_open,
	.span = chrome_span,
	.mark = chrome_mark,
	.process = chrome_process,
	.identity = chrome_identity,
	.process_end = chrome_process_end,
	.thread = chrome_thread,
	.fork = chrome_fork,
	.cpu_switch = chrome_cpu_switch,
	.wake = chrome_wake,
	.counter = chrome_counter,
	.step = chrome_step,
	.loss = chrome_loss,
	.next_piece = chrome_next_piece,
	.finish = chrome_finish,
	.free = chrome_free,
};
