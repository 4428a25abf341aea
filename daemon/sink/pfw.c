/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What is known of each process: what it wants, and its file. The file is asked for with the first
 * event, so that a process without events has none. One that executes another program goes on in
 * its file, unless that program wants another one.
 *
 * What goes wrong with one file concerns its process alone: its events count as not written, and
 * the user is told once.
 */
#include "sink/pfw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/pfw_internal.h"
#include "sink/pfw_name.h"
#include "util/cleanup.h"

#define IDLE_LANES 64 /* of a process: beyond it empty ones are dropped */

static void process_free(struct pfw_process *process)
{
	struct pfw_lane *lane;
	size_t cursor = 0;

	while ((lane = hash_next(&process->lanes, &cursor, NULL)))
		pfw_lane_free(lane);
	hash_done(&process->lanes);
	pfw_waiting_done(&process->begins);
	pfw_waiting_done(&process->outs);
	pfw_waiting_done(&process->ins);
	pfw_file_free(process->file);
	pfw_options_done(&process->options);
	pfw_path_done(&process->path);
	free(process->directory);
	free(process->name);
	free(process->used_directory);
	free(process->used_name);
	free(process);
}
DEFINE_CLEANUP(struct pfw_process, process_free)

static void warn(struct pfw *pfw, const struct pfw_process *process, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void warn(struct pfw *pfw, const struct pfw_process *process, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	n = snprintf(text, sizeof(text), "process %u (%s): ", process->pid, process->comm);
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	for (char *p = text; *p; p++) { /* names and options are anybody's */
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			*p = '?';
	}
	pfw->start.warn_fn(pfw->start.opaque, text);
}

/* What many ranks have in common is said once. */
static int tell_faults(struct pfw *pfw, const struct pfw_process *process,
		       const struct strings *faults)
{
	uint64_t key;
	int r = 0;

	for (size_t i = 0; r == 0 && i < faults->n_items; i++) {
		key = hash_bytes(faults->items[i], strlen(faults->items[i]));
		if (hash_find(&pfw->told, key))
			continue;
		warn(pfw, process, "%s", faults->items[i]);
		r = hash_put(&pfw->told, key, pfw);
	}
	return r;
}

/* What it wants */

static const char *variable(const void *identity, const char *name)
{
	return identity ? identity_environment(identity, name) : NULL;
}

static int set_name(struct pfw *pfw, struct pfw_process *process, const struct identity *identity)
{
	_cleanup_(text_done) struct text name = {0};
	int r;

	r = pfw_path_set(pfw, process, identity);
	r = r ?: pfw_file_name(&process->options, pfw->host, process->path.own, process->pid, &name);
	if (r < 0)
		return r;
	free(process->name);
	process->name = take_ptr(name.data);
	return 0;
}

bool pfw_may_want_counters(const struct identity *identity)
{
	const char *text = identity_environment(identity, "PERFFLOW_OPTIONS");
	_cleanup_(strings_done) struct strings faults = {0};
	struct pfw_options options;
	bool wants_them = true;

	if ((text || identity_has_whole_environment(identity)) && pfw_options_parse(text, &options, &faults) == 0) {
		wants_them = options.is_enabled && options.with_counters;
		pfw_options_done(&options);
	}
	return wants_them;
}

/* identity NULL: nothing is known of it. */
static int set_wishes(struct pfw *pfw, struct pfw_process *process, const struct identity *identity)
{
	_cleanup_(strings_done) struct strings faults = {0};
	const char *directory = identity ? identity->directory : NULL;
	char *copy = directory ? strdup(directory) : NULL;
	struct pfw_options options;
	int r;

	free(process->directory);
	process->directory = copy;
	if (directory && !copy)
		return -ENOMEM;
	process->may_lack_options = identity && !variable(identity, "PERFFLOW_OPTIONS") &&
				    !identity_has_whole_environment(identity);
	r = pfw_options_parse(variable(identity, "PERFFLOW_OPTIONS"), &options, &faults);
	if (r < 0)
		return r;
	pfw_options_done(&process->options);
	process->options = options;
	r = tell_faults(pfw, process, &faults);
	return r ?: set_name(pfw, process, identity);
}

/* Its file */

static int write_lanes(struct pfw *pfw, struct pfw_process *process)
{
	struct pfw_lane *lane;
	size_t cursor = 0;
	int r = 0;

	while (process->file && (lane = hash_next(&process->lanes, &cursor, NULL)))
		r = pfw_lane_write(pfw, process, lane) ?: r;
	return r;
}

static int fail(struct pfw *pfw, struct pfw_process *process, int error)
{
	if (!process->error)
		warn(pfw, process, "its file cannot be written: %s", strerror(-error));
	process->error = error;
	return error;
}

static int close_file(struct pfw *pfw, struct pfw_process *process)
{
	int r;

	if (!process->file)
		return 0;
	r = pfw_file_finish(process->file);
	if (r < 0)
		fail(pfw, process, r);
	pfw_file_free(take_ptr(process->file));
	return r;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether the file that it has is the one that it wants. */
static bool has_its_file(const struct pfw_process *process)
{
	return process->used_object == process->options.is_object &&
	       is_same(process->used_directory, process->directory) &&
	       is_same(process->used_name, process->name);
}

static int note_used(struct pfw_process *process)
{
	free(process->used_directory);
	free(process->used_name);
	process->used_directory = process->directory ? strdup(process->directory) : NULL;
	process->used_name = strdup(process->name);
	process->used_object = process->options.is_object;
	return process->used_name && !process->directory == !process->used_directory ? 0 : -ENOMEM;
}

static void open_file(struct pfw *pfw, struct pfw_process *process)
{
	const struct pfw_request request = {
		.pid = process->pid,
		.ppid = process->ppid,
		.has_owner = process->has_owner,
		.uid = process->uid,
		.gid = process->gid,
		.directory = process->directory,
		.log_dir = process->options.log_dir,
		.name = process->name,
		.name_has_pid = pfw_name_has_pid(&process->options),
	};
	struct why why = {0};
	int fd, r;

	if (process->may_lack_options)
		warn(pfw, process,
		     "only a part of its environment is known: PERFFLOW_OPTIONS, if it has any, is "
		     "not obeyed");
	r = note_used(process);
	fd = r < 0 ? r : pfw->start.open_fn(pfw->start.opaque, &request, &why);
	r = fd < 0 ? fd : pfw_file_open(fd, process->options.is_object, &process->file);
	if (r < 0)
		warn(pfw, process, "there is no file for it: %s", why_text(&why, r));
	process->error = r;
}

/* Processes */

static int add_process(struct pfw *pfw, uint32_t pid, struct pfw_process **ret_process)
{
	_cleanup_(process_freep) struct pfw_process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return -ENOMEM;
	process->pid = pid;
	r = set_wishes(pfw, process, NULL);
	r = r ?: hash_put(&pfw->processes, pid, process);
	if (r < 0)
		return r;
	*ret_process = take_ptr(process);
	return 0;
}

static int find_process(struct pfw *pfw, uint32_t pid, struct pfw_process **ret_process)
{
	*ret_process = hash_find(&pfw->processes, pid);
	return *ret_process ? 0 : add_process(pfw, pid, ret_process);
}

static int find_lane(struct pfw_process *process, uint32_t tid, struct pfw_lane **ret_lane)
{
	struct pfw_lane *lane = hash_find(&process->lanes, tid);
	int r;

	if (!lane) {
		lane = calloc(1, sizeof(*lane));
		if (!lane)
			return -ENOMEM;
		lane->tid = tid;
		r = hash_put(&process->lanes, tid, lane);
		if (r < 0) {
			pfw_lane_free(lane);
			return r;
		}
	}
	*ret_lane = lane;
	return 0;
}

static int pfw_process(struct sink *sink, const struct pf_process_seen *seen)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	int r;

	r = find_process(pfw, seen->event.pid, &process);
	if (r < 0)
		return r;
	r = write_lanes(pfw, process); /* what it executed before is over */
	process->ppid = seen->ppid;
	process->has_owner = true;
	process->uid = seen->uid;
	process->gid = seen->gid;
	memcpy(process->comm, seen->comm, sizeof(process->comm));
	process->comm[sizeof(process->comm) - 1] = '\0';
	return r;
}

static int pfw_identity(struct sink *sink, const struct identity *identity)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	int r;

	r = find_process(pfw, identity->pid, &process);
	r = r ?: write_lanes(pfw, process);
	r = r ?: set_wishes(pfw, process, identity);
	if (r < 0 || has_its_file(process))
		return r;
	process->error = 0;
	return close_file(pfw, process);
}

static int pfw_process_end(struct sink *sink, const struct pf_process_end *end)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process = hash_remove(&pfw->processes, end->event.pid);
	int r;

	if (!process)
		return 0;
	r = write_lanes(pfw, process);
	r = close_file(pfw, process) ?: r;
	process_free(process);
	return r;
}

/* Events */

/* The text of a captured value that tells a name; NULL where there is none, or it could not be
 * read. */
static int take_text(const struct event *event, int index, char **ret_text)
{
	const struct pf_item *item = NULL;

	while (index >= 0 && (item = event_next_item(event, item))) {
		if (item->kind != PF_ITEM_ARGUMENT || item->index != index || item->is_missing)
			continue;
		*ret_text = strndup(item_value(item), item->size);
		return *ret_text ? 0 : -ENOMEM;
	}
	return 0;
}

static int take_names(const struct event *event, const struct sink_label *label,
		      struct pfw_item *item)
{
	int r = 0;

	if (!label->n_values || !event->items)
		return 0;
	if (label->name_value >= 0)
		r = take_text(event, label->name_value, &item->name);
	if (r == 0 && label->category_value >= 0)
		r = take_text(event, label->category_value, &item->category);
	if (r == 0 && label->scope_value >= 0)
		r = take_text(event, label->scope_value, &item->scope);
	return r;
}

static const struct pf_item *find_item(const struct event *event, enum pf_item_kind kind,
				       unsigned int index)
{
	const struct pf_item *item = NULL;

	while (event->items && (item = event_next_item(event, item))) {
		if (item->kind == kind && (kind == PF_ITEM_ID || item->index == index))
			return item->is_missing || item->size != sizeof(uint64_t) ? NULL : item;
	}
	return NULL;
}

/* Where it was not measured, as at the end of a session, it is what it was. */
static void take_memory(struct pfw_process *process, const struct event *event,
			struct pfw_item *item)
{
	const struct pf_item *metric = find_item(event, PF_ITEM_METRIC, PF_METRIC_RSS);
	int64_t bytes;

	if (metric) {
		memcpy(&bytes, item_value(metric), sizeof(bytes));
		process->memory_kib = (uint64_t)bytes / 1024;
	}
	item->memory_kib = process->memory_kib;
}

static int add_item(struct pfw *pfw, struct pfw_process *process, const struct event *event,
		    struct pfw_item *item, enum pf_moment moment)
{
	bool is_async = item->phase >= 'a';
	const struct pf_item *id = is_async ? find_item(event, PF_ITEM_ID, 0) : NULL;
	struct pfw_lane *lane = NULL;
	int r;

	r = find_lane(process, event->header.tid, &lane);
	if (r == 0 && id)
		memcpy(&item->async_id, item_value(id), sizeof(item->async_id));
	else if (r == 0 && is_async)
		r = pfw_pair_async(process, lane, item, moment);
	r = r ?: pfw_pair_flows(process, item, moment);
	r = r ?: take_names(event, item->label, item);
	if (r < 0) {
		free(item->name);
		free(item->category);
		free(item->scope);
		return r;
	}
	return pfw_lane_add(pfw, process, lane, item, event->order_ns);
}

/* Returns 1 if its process has a file, or has got one. */
static int prepare(struct pfw *pfw, const struct event *event, struct pfw_process **ret_process)
{
	struct pfw_process *process;
	int r;

	r = find_process(pfw, event->header.pid, &process);
	if (r < 0 || !process->options.is_enabled)
		return r;
	if (!process->file && !process->error)
		open_file(pfw, process);
	*ret_process = process;
	return process->error ?: 1;
}

static void fill_item(const struct event *event, const struct sink_label *label,
		      struct pfw_item *ret_item)
{
	*ret_item = (struct pfw_item){
		.phase = PFW_SPAN,
		.depth = PFW_NO_DEPTH,
		.joinpoint = event->header.joinpoint,
		.label = label,
		.start_ns = event->header.time_ns,
		.end_ns = event->header.time_ns,
		.flow_ids = {PFW_NO_FLOW, PFW_NO_FLOW},
	};
}

/* The output's own error goes on to whoever counts; that of one process is told here. */
static int note_error(struct pfw *pfw, struct pfw_process *process, int r)
{
	return r < 0 && r != -ENOMEM ? fail(pfw, process, r) : r;
}

static int pfw_span(struct sink *sink, const struct event *event, const struct sink_label *label)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	struct pfw_item item;
	int r;

	r = prepare(pfw, event, &process);
	if (r <= 0)
		return r;
	fill_item(event, label, &item);
	item.depth = event->span.depth;
	item.end_ns = event->span.event.time_ns + event->span.duration_ns;
	item.oncpu_ns = event->span.oncpu_ns;
	take_memory(process, event, &item);
	return note_error(pfw, process, add_item(pfw, process, event, &item, PF_MOMENT_RETURN));
}

static char phase_of(const struct sink_label *label, unsigned int moment)
{
	switch (label->kind) {
	case SINK_MARK:
		return moment == PF_MOMENT_ENTRY ? 'B' : 'E';
	case SINK_ASYNC_SPAN:
		return moment == PF_MOMENT_ENTRY ? 'b' : 'e';
	case SINK_ASYNC_BEGIN:
		return 'b';
	case SINK_ASYNC_INSTANT:
		return 'n';
	case SINK_ASYNC_END:
		return 'e';
	default:
		return PFW_SPAN; /* its return is not seen: one without duration */
	}
}

static int pfw_mark(struct sink *sink, const struct event *event, const struct sink_label *label)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	struct pfw_item item;
	int r;

	r = prepare(pfw, event, &process);
	if (r <= 0)
		return r;
	fill_item(event, label, &item);
	item.phase = phase_of(label, event->mark.moment);
	item.memory_kib = process->memory_kib;
	return note_error(pfw, process,
			  add_item(pfw, process, event, &item, (enum pf_moment)event->mark.moment));
}

/* What PerfFlowAspect has nothing for */

static int pfw_thread(struct sink *sink, const struct pf_thread_seen *thread)
{
	(void)sink, (void)thread;
	return 0;
}

static int pfw_fork(struct sink *sink, const struct pf_fork *fork)
{
	(void)sink, (void)fork;
	return 0;
}

static int pfw_cpu_switch(struct sink *sink, const struct pf_switch *cpu_switch)
{
	(void)sink, (void)cpu_switch;
	return 0;
}

static int pfw_wake(struct sink *sink, const struct pf_wake *wake)
{
	(void)sink, (void)wake;
	return 0;
}

static int pfw_counter(struct sink *sink, const struct sink_counter *counter)
{
	(void)sink, (void)counter;
	return 0;
}

/* Life */

static int pfw_open(struct sink *sink, const struct sink_start *start)
{
	struct pfw *pfw = (struct pfw *)sink;

	pfw->start = *start->pfw;
	pfw->clock = start->clock;
	pfw->host = strdup(start->host ?: "");
	return pfw->host ? 0 : -ENOMEM;
}

static void drop_empty_lanes(struct pfw_process *process)
{
	struct pfw_lane *lane;
	size_t cursor = 0;
	uint64_t tid;

	while ((lane = hash_next(&process->lanes, &cursor, &tid))) {
		if (lane->n_items == 0 && lane->n_asyncs == 0 && lane->n_gaps == 0)
			pfw_lane_free(hash_remove(&process->lanes, tid));
	}
}

static void flush_process(struct pfw *pfw, struct pfw_process *process, uint64_t now_ns)
{
	struct pfw_lane *lane;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && (lane = hash_next(&process->lanes, &cursor, NULL)))
		r = pfw_lane_age(pfw, process, lane, now_ns);
	r = r ?: pfw_file_flush(process->file);
	note_error(pfw, process, r);
	if (process->lanes.n_values > IDLE_LANES)
		drop_empty_lanes(process);
}

static int pfw_flush(struct sink *sink, uint64_t now_ns)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	size_t cursor = 0;

	while ((process = hash_next(&pfw->processes, &cursor, NULL))) {
		if (process->file && !process->error)
			flush_process(pfw, process, now_ns);
	}
	return 0;
}

static int pfw_finish(struct sink *sink, const struct sink_summary *summary)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	size_t cursor = 0;
	int r = 0;

	(void)summary; /* they have no place for it */
	while ((process = hash_next(&pfw->processes, &cursor, NULL))) {
		r = write_lanes(pfw, process) ?: r;
		r = close_file(pfw, process) ?: r;
	}
	return r;
}

static void pfw_free(struct sink *sink)
{
	struct pfw *pfw = (struct pfw *)sink;
	struct pfw_process *process;
	size_t cursor = 0;

	while ((process = hash_next(&pfw->processes, &cursor, NULL)))
		process_free(process);
	hash_done(&pfw->processes);
	hash_done(&pfw->told);
	pfw_free_prefixes(pfw);
	text_done(&pfw->line);
	free(pfw->host);
}

const struct sink_ops pfw_sink_ops = {
	.name = "pfw",
	.size = sizeof(struct pfw),
	.open = pfw_open,
	.span = pfw_span,
	.mark = pfw_mark,
	.process = pfw_process,
	.identity = pfw_identity,
	.process_end = pfw_process_end,
	.thread = pfw_thread,
	.fork = pfw_fork,
	.cpu_switch = pfw_cpu_switch,
	.wake = pfw_wake,
	.counter = pfw_counter,
	.flush = pfw_flush,
	.finish = pfw_finish,
	.free = pfw_free,
};
