/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each turn takes what the rings hold, then lets go of the records that no other can precede any more: those sent before
 * the turn began, less a window for programs that were preempted between reading the clock and sending. A ring that could
 * not be emptied holds all back, and so does a file that is still being read for the names in a stack, while the rings are
 * emptied; then the order's own limit lets the oldest go.
 *
 * What is written of a record is pipeline_event.c's to say, of processes pipeline_process.c's, of samples pipeline_usage.c's.
 */
#include "session/pipeline_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "probe/rings.h"
#include "session/warnings.h"
#include "sink/output.h"
#include "trace/order.h"
#include "util/now.h"
#include "util/thread.h"

#define ORDER_WINDOW_NS 10000000ULL
#define ORDER_MAX_HELD 262144
#define TURN_MS 50
#define READY_MS 2
#define FLUSH_NS 200000000ULL

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
	pipeline->busy_ns = calloc(attach_n_cpus(pipeline->config.attach), sizeof(*pipeline->busy_ns));
	if (!pipeline->busy_ns)
		return -ENOMEM;
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
	r = woven_labels_new(&pipeline->woven_labels);
	if (r < 0)
		return r;
	r = identities_new(&pipeline->identities);
	if (r < 0)
		return r;
	r = ledger_new(config->attach, config->labels, &pipeline->ledger);
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
	if (!pipeline)
		return;
	if (pipeline->is_running) {
		pipeline_stop(pipeline, "stopped", NULL);
		pthread_join(pipeline->thread, NULL);
	}
	pipeline_free_processes(pipeline);
	free(pipeline->busy_ns);
	usage_close(pipeline->usage);
	rings_close(pipeline->rings);
	order_free(pipeline->order);
	identities_free(pipeline->identities);
	ledger_free(pipeline->ledger);
	sink_free(pipeline->config.sink);
	woven_labels_free(pipeline->woven_labels);
	closep(&pipeline->event_fd);
	free(pipeline->reason);
	strings_done(&pipeline->warnings);
	free(pipeline);
}

/* It will be a few milliseconds until it is written. */
static void prepare_stack(const struct pipeline *pipeline, const struct event *event)
{
	const struct pf_item *item = NULL;

	if (!pipeline->config.symbolizer || (event->header.kind != PF_EVENT_SPAN && event->header.kind != PF_EVENT_MARK))
		return;
	while ((item = event_next_item(event, item)))
		if (item->kind == PF_ITEM_STACK)
			symbolizer_prepare(pipeline->config.symbolizer, event->header.pid, event->header.time_ns,
					   item_value(item), item->size / sizeof(uint64_t));
}

void pipeline_feed(struct pipeline *pipeline, unsigned int ring, const void *data, size_t size)
{
	struct event event;

	if (event_decode(data, size, &event) < 0) {
		pipeline_add(&pipeline->counts.n_bad_records, 1);
		return;
	}
	prepare_stack(pipeline, &event);
	if (order_push(pipeline->order, ring, &event) < 0) {
		event_done(&event);
		pipeline_add(&pipeline->counts.n_not_written, 1);
	}
}

/* All that was counted so far. */
static void count_all(struct pipeline *pipeline, struct sink_summary *ret_summary)
{
	uint64_t counters[PF_N_COUNTERS];

	*ret_summary = (struct sink_summary){
		.n_spans = pipeline->counts.n_spans,
		.n_marks = pipeline->counts.n_marks,
		.n_processes = pipeline->counts.n_processes,
		.n_bad_records = pipeline->counts.n_bad_records,
		.n_out_of_order = order_n_late(pipeline->order),
	};
	memcpy(ret_summary->n_ends, pipeline->n_ends, sizeof(ret_summary->n_ends));
	if (!pipeline->config.attach)
		return;
	attach_counters(pipeline->config.attach, counters);
	memcpy(ret_summary->losses, counters, sizeof(ret_summary->losses));
	ret_summary->n_short = counters[PF_COUNT_SHORT];
	ret_summary->n_sampled_out = counters[PF_COUNT_SAMPLED_OUT];
	ret_summary->n_limited = counters[PF_COUNT_LIMITED];
	ret_summary->n_entered_before = counters[PF_COUNT_ENTERED_BEFORE];
	ret_summary->n_missed_runs = attach_n_missed_runs(pipeline->config.attach);
}

static void write_ledger(struct pipeline *pipeline, uint64_t now_ns, bool is_last)
{
	const struct ledger_sums sums = {
		.n_bad_records = pipeline->counts.n_bad_records,
		.n_out_of_order = order_n_late(pipeline->order),
	};

	if (pipeline->config.sink)
		pipeline_note_written(pipeline, ledger_write(pipeline->ledger, pipeline->config.sink, now_ns, &sums, is_last));
}

static void begin_next_piece(struct pipeline *pipeline, int fd)
{
	static const struct strings no_warnings;
	const struct sink_piece piece = {
		.number = rotation_piece(pipeline->config.rotation),
		.time_ns = pipeline->last_ns,
		.clock = rotation_take_snapshot(),
	};
	struct sink *sink = pipeline->config.sink;
	struct sink_summary all, summary;

	write_ledger(pipeline, clock_now_ns(CLOCK_BOOTTIME), true);
	count_all(pipeline, &all);
	summary = all;
	sink_summary_subtract(&summary, &pipeline->told);
	summary.reason = "continued";
	summary.time_ns = pipeline->last_ns;
	summary.warnings = &no_warnings;
	pipeline_note_written(pipeline, sink->ops->next_piece(sink, fd, &summary, &piece));
	pipeline->told = all;
	pipeline->told.n_processes -= pipeline_n_shown(pipeline);
}

static void rotate_if_due(struct pipeline *pipeline, uint64_t now_ns)
{
	uint64_t n_bytes = output_n_bytes(pipeline->config.output);
	int fd;

	if (!rotation_is_due(pipeline->config.rotation, n_bytes, now_ns) || !pipeline->last_ns)
		return;
	fd = rotation_next(pipeline->config.rotation, n_bytes, now_ns);
	if (fd >= 0)
		begin_next_piece(pipeline, fd);
}

static void write_ordered(struct pipeline *pipeline, uint64_t now_ns)
{
	const struct event *event;

	while (order_pop(pipeline->order, now_ns, &event) == 1) {
		pipeline_write_samples(pipeline, event->order_ns);
		pipeline->last_ns = event->order_ns;
		pipeline_note_written(pipeline, pipeline_write_event(pipeline, event));
		if (pipeline->config.rotation)
			rotate_if_due(pipeline, event->order_ns);
	}
	if (now_ns > ORDER_WINDOW_NS)
		pipeline_write_samples(pipeline, now_ns - ORDER_WINDOW_NS);
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
	struct sink *sink = pipeline->config.sink;

	if (sink && now_ns - pipeline->flushed_ns >= FLUSH_NS) {
		if (pipeline->config.output)
			output_flush(pipeline->config.output);
		if (sink->ops->flush)
			pipeline_note_written(pipeline, sink->ops->flush(sink, now_ns));
		pipeline->flushed_ns = now_ns;
	}
	check_output(pipeline);
}

static int write_summary(struct pipeline *pipeline, uint64_t now_ns)
{
	struct sink *sink = pipeline->config.sink;
	struct sink_summary summary;

	if (pipeline->config.symbolizer)
		symbolizer_warn(pipeline->config.symbolizer, &pipeline->warnings);
	if (pipeline->config.gpu)
		gpu_warn(pipeline->config.gpu, &pipeline->warnings);
	if (pipeline->config.rotation)
		rotation_warn(pipeline->config.rotation, &pipeline->warnings);
	if (ledger_n_dropped(pipeline->ledger))
		warnings_add(&pipeline->warnings, "%" PRIu64 " entries of the ledger, of pauses or late weaving, found no room on their way",
			     ledger_n_dropped(pipeline->ledger));
	count_all(pipeline, &summary);
	sink_summary_subtract(&summary, &pipeline->told);
	summary.reason = pipeline->reason ?: "stopped";
	summary.time_ns = now_ns;
	summary.warnings = &pipeline->warnings;
	return sink->ops->finish(sink, &summary);
}

int pipeline_finish(struct pipeline *pipeline, const char *reason)
{
	int r = 0;

	if (reason && !pipeline->reason)
		pipeline->reason = strdup(reason);
	write_ordered(pipeline, UINT64_MAX);
	pipeline_settle_all(pipeline);
	write_ledger(pipeline, pipeline->config.attach ? clock_now_ns(CLOCK_BOOTTIME) : pipeline->last_ns, true);
	if (pipeline->config.sink)
		r = write_summary(pipeline, pipeline->config.attach ? clock_now_ns(CLOCK_BOOTTIME) : pipeline->last_ns);
	check_output(pipeline);
	return r;
}

/* Whether the names for all stacks are there; until then records are held back. */
static bool is_ready(const struct pipeline *pipeline)
{
	return !pipeline->config.symbolizer || symbolizer_is_ready(pipeline->config.symbolizer);
}

/* Until something has to be done whatever comes. */
static int turn_ms(struct pipeline *pipeline)
{
	int most_ms = is_ready(pipeline) ? TURN_MS : READY_MS;
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);

	if (pipeline->sample_at_ns <= now_ns)
		return 0;
	if (pipeline->sample_at_ns - now_ns >= most_ms * 1000000ULL)
		return most_ms;
	return (pipeline->sample_at_ns - now_ns + 999999) / 1000000;
}

static void wait_for_records(struct pipeline *pipeline)
{
	struct pollfd fds[] = {
		{ .fd = rings_fd(pipeline->rings), .events = POLLIN },
		{ .fd = pipeline->config.stop_fd, .events = POLLIN },
	};

	poll(fds, 2, turn_ms(pipeline));
}

static void take_turn(struct pipeline *pipeline)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);

	if (pipeline->config.symbolizer)
		symbolizer_update(pipeline->config.symbolizer);
	if (rings_consume(pipeline->rings) == 0 && is_ready(pipeline)) {
		write_ordered(pipeline, now_ns);
		pipeline_sample_gpu(pipeline, now_ns - ORDER_WINDOW_NS);
	} else {
		write_ordered(pipeline, 0); /* only what is beyond the order's limit */
	}
	if (now_ns >= pipeline->sample_at_ns) {
		usage_take(pipeline->usage);
		pipeline->sample_at_ns += pipeline->config.interval_ns; /* so that late ones do not add up */
		if (pipeline->sample_at_ns < now_ns)
			pipeline->sample_at_ns = now_ns + pipeline->config.interval_ns;
	}
	if (pipeline->config.rotation)
		rotate_if_due(pipeline, now_ns);
	write_ledger(pipeline, now_ns, false);
	flush(pipeline, now_ns);
}

static void *run(void *userdata)
{
	struct pipeline *pipeline = userdata;

	usage_take(pipeline->usage); /* what the first value counts from */
	pipeline->sample_at_ns = clock_now_ns(CLOCK_BOOTTIME) + pipeline->config.interval_ns;
	while (!__atomic_load_n(&pipeline->stop, __ATOMIC_ACQUIRE)) {
		wait_for_records(pipeline);
		take_turn(pipeline);
	}
	while (rings_consume(pipeline->rings) > 0)
		write_ordered(pipeline, 0);
	if (pipeline->config.symbolizer)
		symbolizer_wait(pipeline->config.symbolizer);
	usage_take(pipeline->usage);
	write_ordered(pipeline, UINT64_MAX);
	pipeline_sample_gpu(pipeline, UINT64_MAX);
	pipeline_finish(pipeline, NULL);
	__atomic_store_n(&pipeline->has_ended, true, __ATOMIC_RELEASE);
	wake_control(pipeline);
	return NULL;
}

int pipeline_begin(struct pipeline *pipeline)
{
	return pipeline->config.output ? output_flush_some(pipeline->config.output) : 0;
}

int pipeline_start(struct pipeline *pipeline)
{
	int r = thread_start(&pipeline->thread, "pf-pipeline", run, pipeline);

	pipeline->is_running = r == 0;
	return r;
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

struct ledger *pipeline_ledger(const struct pipeline *pipeline)
{
	return pipeline->ledger;
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

	ret_counts->n_marks = __atomic_load_n(&pipeline->counts.n_marks, __ATOMIC_RELAXED);
	ret_counts->n_spans = __atomic_load_n(&counts->n_spans, __ATOMIC_RELAXED);
	ret_counts->n_processes = __atomic_load_n(&counts->n_processes, __ATOMIC_RELAXED);
	ret_counts->n_bad_records = __atomic_load_n(&counts->n_bad_records, __ATOMIC_RELAXED);
	ret_counts->n_not_written = __atomic_load_n(&counts->n_not_written, __ATOMIC_RELAXED);
	ret_counts->n_bytes = __atomic_load_n(&counts->n_bytes, __ATOMIC_RELAXED);
	ret_counts->output_error = __atomic_load_n(&counts->output_error, __ATOMIC_ACQUIRE);
}
