/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Records that are rare are put together in a text, and copied into the output then. Each begins
 * with the comma that stands before every event but the first.
 */
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/output.h"
#include "sink/put.h"

#define MAX_NAME_BYTES                                                                             \
	4096 /* escaped, two of them fit into what output_reserve() gives, six bytes for one */

/* What of a name is shown: if it is cut off, then between two characters of UTF-8. */
static size_t name_size(const char *name)
{
	size_t size = strnlen(name, MAX_NAME_BYTES + 1);

	if (size <= MAX_NAME_BYTES)
		return size;
	for (size = MAX_NAME_BYTES; size > MAX_NAME_BYTES - 4 && (name[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

int chrome_append_prefix(struct text *text, const char *name, const char *category)
{
	int r;

	if (!*name)
		name = "?"; /* readers drop events without a name */
	r = text_append(text, ",\n{\"name\":\"", 11);
	r = r ?: text_append_json(text, name, name_size(name));
	r = r ?: text_append(text, "\",\"cat\":\"", 9);
	r = r ?: text_append_json(text, category, name_size(category));
	return r ?: text_append(text, "\",\"ph\":\"", 8);
}

uint32_t chrome_shown_pid(const struct chrome *chrome, uint32_t pid)
{
	const struct process *process;

	if (!chrome->n_renumbered)
		return pid;
	process = hash_find(&chrome->processes, pid);
	return process ? process->shown_pid : pid;
}

/* The main thread has its process's number, which is how readers know it. */
uint32_t chrome_shown_tid(const struct chrome *chrome, uint32_t pid, uint32_t tid)
{
	return tid == pid ? chrome_shown_pid(chrome, pid) : tid;
}

static char *put_shown(char *p, uint32_t pid, uint32_t tid)
{
	p = put_literal(p, ",\"pid\":");
	p = put_number(p, pid);
	p = put_literal(p, ",\"tid\":");
	return put_number(p, tid);
}

char *chrome_put_pid_tid(char *p, const struct chrome *chrome, uint32_t pid, uint32_t tid)
{
	uint32_t shown = chrome_shown_pid(chrome, pid);

	return put_shown(p, shown, tid == pid ? shown : tid);
}

int chrome_begin_shown(struct chrome *chrome, const char *name, const char *category,
		       const char *phase, const struct pf_event *event)
{
	char end[128], *p;
	int r;

	chrome->line.size = 0;
	r = chrome_append_prefix(&chrome->line, name, category);
	if (r < 0)
		return r;
	p = put_string(end, phase);
	p = put_literal(p, "\",\"ts\":");
	chrome->time_at = chrome->line.size + (p - end);
	p = put_thousandths(p, event->time_ns);
	chrome->time_end = chrome->line.size + (p - end);
	p = put_shown(p, event->pid, event->tid);
	return text_append(&chrome->line, end, p - end);
}

int chrome_begin_line(struct chrome *chrome, const char *name, const char *category,
		      const char *phase, const struct pf_event *event)
{
	const struct pf_event shown = {
		.time_ns = event->time_ns,
		.pid = chrome_shown_pid(chrome, event->pid),
		.tid = chrome_shown_tid(chrome, event->pid, event->tid),
	};

	return chrome_begin_shown(chrome, name, category, phase, &shown);
}

int chrome_begin_args(struct chrome *chrome)
{
	return text_append(&chrome->line, ",\"args\":{", 9);
}

int chrome_end_args(struct chrome *chrome)
{
	int r = text_append(&chrome->line, "}}", 2);

	return r ?: chrome_write_line(chrome);
}

/*
 * Viewers ignore metadata whose name they do not know; chrome://tracing warns of it unless
 * "argsStripped" is set, with which it looks no further.
 */
int chrome_begin_own(struct chrome *chrome, const char *name, uint64_t time_ns)
{
	const struct pf_event event = {.time_ns = time_ns};
	int r;

	r = chrome_begin_line(chrome, name, METADATA_CATEGORY, "M", &event);
	r = r ?: text_printf(&chrome->line, ",\"argsStripped\":true");
	return r ?: chrome_begin_args(chrome);
}

/* The line may be longer than what can be reserved. */
int chrome_write_line(struct chrome *chrome)
{
	struct output *output = chrome->sink.output;
	const struct text *line = &chrome->line;
	size_t n;

	for (size_t i = 0; i < line->size; i += n) {
		n = line->size - i < OUTPUT_RESERVE_MAX ? line->size - i : OUTPUT_RESERVE_MAX;
		memcpy(output_reserve(output, n), line->data + i, n);
		output_commit(output, n);
	}
	return output_error(output);
}

/*
 * Arrows are drawn between slices alone, so each end is one, without duration: that fits between
 * all that may be on its thread.
 */
int chrome_arrow(struct chrome *chrome, const char *name, const char *category,
		 const struct pf_event *at, uint64_t number, bool is_out, const char *key,
		 uint32_t value)
{
	int r;

	r = chrome_begin_line(chrome, name, category, "X", at);
	r = r ?: text_printf(&chrome->line,
			     ",\"dur\":0.000,\"bind_id\":%llu,\"flow_%s\":true",
			     (unsigned long long)number, is_out ? "out" : "in");
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_unsigned(&chrome->line, key, value);
	return r ?: chrome_end_args(chrome);
}
