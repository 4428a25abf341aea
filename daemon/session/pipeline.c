/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each turn takes what the rings hold, then lets go of the records that no other can precede any more: those sent before
 * the turn began, less a window for programs that were preempted between reading the clock and sending. A ring that could
 * not be emptied holds all back; then the order's own limit lets the oldest go.
 */
#include "session/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "probe/rings.h"
#include "probe/usage.h"
#include "sink/output.h"
#include "trace/order.h"
#include "util/hash.h"

#define ORDER_WINDOW_NS 10000000ULL
#define ORDER_MAX_HELD 262144
#define TURN_MS 50
#define FLUSH_NS 200000000ULL

struct process { /* one that the trace has seen */
	uint32_t pid;
	uint64_t since_ns, oncpu_ns; /* at its last sample */
};

struct pipeline {
	struct pipeline_config config;
	struct rings *rings;
	struct usage *usage;
	struct order *order;
	struct hash processes;	/* pid -> struct process */
	uint64_t sampled_ns;	/* when the machine was sampled last, 0: never */
	uint64_t machine_busy_ns; /* at that time */
	uint64_t flushed_ns;
	uint64_t last_ns; /* of the records that were written */
	uint64_t n_ends[PF_N_ENDS];
	struct pipeline_counts counts; /* atomics; written by the thread alone */
	char *reason;
	struct strings warnings;
	int event_fd;
	pthread_t thread;
	bool is_running, stop, has_ended; /* the last two are atomics */
};

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void wake_control(const struct pipeline *pipeline)
{
	eventfd_write(pipeline->event_fd, 1);
}

static void on_record(unsigned int ring, const void *data, size_t size, void *userdata)
{
	pipeline_feed(userdata, ring, data, size);
}

static int open_rings(struct pipeline *pipeline)
{
	int r;

	if (!pipeline->config.attach)
		return 0;
	r = rings_open(pipeline->config.attach, on_record, pipeline, &pipeline->rings);
	if (r < 0)
		return r;
	return usage_open(pipeline->config.attach, &pipeline->usage);
}

int pipeline_new(const struct pipeline_config *config, struct pipeline **ret_pipeline)
{
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	int r;

	pipeline = calloc(1, sizeof(*pipeline));
	if (!pipeline) {
		sink_free(config->sink);
		return -ENOMEM;
	}
	pipeline->config = *config;
	pipeline->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pipeline->event_fd < 0)
		return -errno;
	r = order_new(config->attach ? attach_n_rings(config->attach) : 1, ORDER_WINDOW_NS, ORDER_MAX_HELD,
		      &pipeline->order);
	if (r < 0)
		return r;
	r = open_rings(pipeline);
	if (r < 0)
		return r;
	*ret_pipeline = take_ptr(pipeline);
	return 0;
}

void pipeline_free(struct pipeline *pipeline)
{
	size_t cursor = 0;
	void *process;

	if (!pipeline)
		return;
	if (pipeline->is_running) {
		pipeline_stop(pipeline, "stopped", NULL);
		pthread_join(pipeline->thread, NULL);
	}
	while ((process = hash_next(&pipeline->processes, &cursor, NULL)))
		free(process);
	hash_done(&pipeline->processes);
	usage_close(pipeline->usage);
	rings_close(pipeline->rings);
	order_free(pipeline->order);
	sink_free(pipeline->config.sink);
	closep(&pipeline->event_fd);
	free(pipeline->reason);
	strings_done(&pipeline->warnings);
	free(pipeline);
}

void pipeline_feed(struct pipeline *pipeline, unsigned int ring, const void *data, size_t size)
{
	struct event event;

	if (event_decode(data, size, &event) < 0) {
		count(&pipeline->counts.n_bad_records, 1);
		return;
	}
	if (order_push(pipeline->order, ring, &event) < 0) {
		event_done(&event);
		count(&pipeline->counts.n_not_written, 1);
	}
}

/* What the sink could not take is counted; the reason is in the output, which keeps its first error. */
static void note_written(struct pipeline *pipeline, int r)
{
	if (r < 0)
		count(&pipeline->counts.n_not_written, 1);
}

static void write_usage(struct pipeline *pipeline, uint32_t pid, uint64_t from_ns, uint64_t to_ns, uint64_t used_ns)
{
	struct sink_counter counter = {
		.name = pid ? "CPU utilisation" : "CPU utilisation of the machine",
		.value_name = "percent of one CPU",
		.pid = pid,
		.time_ns = from_ns,
	};
	struct sink *sink = pipeline->config.sink;

	if (!sink || to_ns <= from_ns)
		return;
	counter.thousandths = (unsigned __int128)used_ns * 100000 / (to_ns - from_ns);
	note_written(pipeline, sink->ops->counter(sink, &counter));
}

static struct process *find_process(struct pipeline *pipeline, uint32_t pid, uint64_t since_ns)
{
	struct process *process = hash_find(&pipeline->processes, pid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->since_ns = since_ns;
	if (hash_put(&pipeline->processes, pid, process) < 0) {
		free(process);
		return NULL;
	}
	count(&pipeline->counts.n_processes, 1);
	return process;
}

/* The value of a counter holds from its time on: so each interval's is written at the interval's start. */
static void sample_process(struct pipeline *pipeline, struct process *process, uint64_t now_ns, uint64_t oncpu_ns)
{
	uint64_t used_ns = oncpu_ns > process->oncpu_ns ? oncpu_ns - process->oncpu_ns : 0;

	write_usage(pipeline, process->pid, process->since_ns, now_ns, used_ns);
	process->since_ns = now_ns;
	process->oncpu_ns += used_ns;
}

static void sample_usage(struct pipeline *pipeline, uint64_t now_ns)
{
	const struct usage_process *processes;
	uint64_t busy_ns;
	size_t n;

	if (usage_read(pipeline->usage, now_ns, &busy_ns, &processes, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct process *process = hash_find(&pipeline->processes, processes[i].pid);

		if (process) /* else its first record is still on its way */
			sample_process(pipeline, process, now_ns, processes[i].oncpu_ns);
	}
	if (pipeline->sampled_ns)
		write_usage(pipeline, 0, pipeline->sampled_ns, now_ns,
			    busy_ns > pipeline->machine_busy_ns ? busy_ns - pipeline->machine_busy_ns : 0);
	if (busy_ns > pipeline->machine_busy_ns)
		pipeline->machine_busy_ns = busy_ns;
	pipeline->sampled_ns = now_ns;
}

static void end_process(struct pipeline *pipeline, const struct pf_process_end *end)
{
	struct process *process = hash_remove(&pipeline->processes, end->event.pid);

	if (!process)
		return;
	sample_process(pipeline, process, end->event.time_ns, end->oncpu_ns);
	write_usage(pipeline, process->pid, process->since_ns, process->since_ns + 1, 0);
	free(process);
}

static int write_span(struct pipeline *pipeline, const struct pf_span *span)
{
	const struct sink_label *label = labels_find(pipeline->config.labels, span->event.joinpoint);
	struct sink *sink = pipeline->config.sink;

	if (!label) {
		count(&pipeline->counts.n_bad_records, 1);
		return 0;
	}
	count(&pipeline->counts.n_spans, 1);
	pipeline->n_ends[span->end]++;
	return sink ? sink->ops->span(sink, span, label) : 0;
}

static int write_mark(struct pipeline *pipeline, const struct pf_event *mark)
{
	const struct sink_label *label = labels_find(pipeline->config.labels, mark->joinpoint);
	struct sink *sink = pipeline->config.sink;

	if (!label) {
		count(&pipeline->counts.n_bad_records, 1);
		return 0;
	}
	return sink ? sink->ops->mark(sink, mark, label) : 0;
}

static int write_event(struct pipeline *pipeline, const struct event *event)
{
	struct sink *sink = pipeline->config.sink;

	switch (event->header.kind) {
	case PF_EVENT_SPAN:
		return write_span(pipeline, &event->span);
	case PF_EVENT_MARK:
		return write_mark(pipeline, &event->header);
	case PF_EVENT_PROCESS:
		find_process(pipeline, event->header.pid, event->header.time_ns);
		return sink ? sink->ops->process(sink, event->process) : 0;
	case PF_EVENT_THREAD:
		return sink ? sink->ops->thread(sink, &event->thread) : 0;
	case PF_EVENT_PROCESS_END:
		end_process(pipeline, &event->process_end);
		return sink ? sink->ops->process_end(sink, &event->process_end) : 0;
	}
	return 0;
}

static void write_ordered(struct pipeline *pipeline, uint64_t now_ns)
{
	const struct event *event;

	while (order_pop(pipeline->order, now_ns, &event) == 1) {
		pipeline->last_ns = event->order_ns;
		note_written(pipeline, write_event(pipeline, event));
	}
}

static void check_output(struct pipeline *pipeline)
{
	struct output *output = pipeline->config.output;
	int r;

	if (!output)
		return;
	__atomic_store_n(&pipeline->counts.n_bytes, output_n_bytes(output), __ATOMIC_RELAXED);
	r = output_error(output);
	if (r < 0 && !pipeline->counts.output_error) {
		__atomic_store_n(&pipeline->counts.output_error, r, __ATOMIC_RELEASE);
		wake_control(pipeline);
	}
}

static void flush(struct pipeline *pipeline, uint64_t now_ns)
{
	if (pipeline->config.output && now_ns - pipeline->flushed_ns >= FLUSH_NS) {
		output_flush(pipeline->config.output);
		pipeline->flushed_ns = now_ns;
	}
	check_output(pipeline);
}

static int write_summary(struct pipeline *pipeline, uint64_t now_ns)
{
	struct sink_summary summary = {
		.reason = pipeline->reason ?: "stopped",
		.time_ns = now_ns,
		.n_spans = pipeline->counts.n_spans,
		.n_processes = pipeline->counts.n_processes,
		.n_bad_records = pipeline->counts.n_bad_records,
		.warnings = &pipeline->warnings,
	};
	struct sink *sink = pipeline->config.sink;
	uint64_t counters[PF_N_COUNTERS];

	memcpy(summary.n_ends, pipeline->n_ends, sizeof(summary.n_ends));
	if (pipeline->config.attach) {
		attach_counters(pipeline->config.attach, counters);
		memcpy(summary.losses, counters, sizeof(summary.losses));
		summary.n_missed_runs = attach_n_missed_runs(pipeline->config.attach);
	}
	return sink->ops->finish(sink, &summary);
}

int pipeline_finish(struct pipeline *pipeline, const char *reason)
{
	int r = 0;

	if (reason && !pipeline->reason)
		pipeline->reason = strdup(reason);
	write_ordered(pipeline, UINT64_MAX);
	if (pipeline->config.sink)
		r = write_summary(pipeline, pipeline->config.attach ? boot_ns() : pipeline->last_ns);
	check_output(pipeline);
	return r;
}

static void wait_for_records(struct pipeline *pipeline)
{
	struct pollfd fds[] = {
		{ .fd = rings_fd(pipeline->rings), .events = POLLIN },
		{ .fd = pipeline->config.stop_fd, .events = POLLIN },
	};

	poll(fds, 2, TURN_MS);
}

static void take_turn(struct pipeline *pipeline)
{
	uint64_t now_ns = boot_ns();

	if (rings_consume(pipeline->rings) == 0)
		write_ordered(pipeline, now_ns);
	else
		write_ordered(pipeline, 0); /* only what is beyond the order's limit */
	if (now_ns - pipeline->sampled_ns >= pipeline->config.interval_ns)
		sample_usage(pipeline, now_ns);
	flush(pipeline, now_ns);
}

static void *run(void *userdata)
{
	struct pipeline *pipeline = userdata;

	pthread_setname_np(pthread_self(), "pf-pipeline");
	while (!__atomic_load_n(&pipeline->stop, __ATOMIC_ACQUIRE)) {
		wait_for_records(pipeline);
		take_turn(pipeline);
	}
	while (rings_consume(pipeline->rings) > 0)
		write_ordered(pipeline, 0);
	write_ordered(pipeline, UINT64_MAX);
	sample_usage(pipeline, boot_ns());
	pipeline_finish(pipeline, NULL);
	__atomic_store_n(&pipeline->has_ended, true, __ATOMIC_RELEASE);
	wake_control(pipeline);
	return NULL;
}

int pipeline_start(struct pipeline *pipeline)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
	r = pthread_create(&pipeline->thread, NULL, run, pipeline);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pipeline->is_running = r == 0;
	return -r;
}

void pipeline_stop(struct pipeline *pipeline, const char *reason, const struct strings *warnings)
{
	if (__atomic_load_n(&pipeline->stop, __ATOMIC_RELAXED))
		return;
	pipeline->reason = strdup(reason);
	for (size_t i = 0; warnings && i < warnings->n_items; i++)
		strings_add(&pipeline->warnings, warnings->items[i]);
	__atomic_store_n(&pipeline->stop, true, __ATOMIC_RELEASE);
	eventfd_write(pipeline->config.stop_fd, 1);
}

int pipeline_event_fd(const struct pipeline *pipeline)
{
	return pipeline->event_fd;
}

bool pipeline_has_ended(const struct pipeline *pipeline)
{
	return __atomic_load_n(&pipeline->has_ended, __ATOMIC_ACQUIRE);
}

void pipeline_count(const struct pipeline *pipeline, struct pipeline_counts *ret_counts)
{
	const struct pipeline_counts *counts = &pipeline->counts;

	ret_counts->n_spans = __atomic_load_n(&counts->n_spans, __ATOMIC_RELAXED);
	ret_counts->n_processes = __atomic_load_n(&counts->n_processes, __ATOMIC_RELAXED);
	ret_counts->n_bad_records = __atomic_load_n(&counts->n_bad_records, __ATOMIC_RELAXED);
	ret_counts->n_not_written = __atomic_load_n(&counts->n_not_written, __ATOMIC_RELAXED);
	ret_counts->n_bytes = __atomic_load_n(&counts->n_bytes, __ATOMIC_RELAXED);
	ret_counts->output_error = __atomic_load_n(&counts->output_error, __ATOMIC_ACQUIRE);
}
