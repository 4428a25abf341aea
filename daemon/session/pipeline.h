/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/pipeline.h - the thread that turns records into a trace: bytes -> record -> order -> sink
 *
 * It alone touches the rings, the order and the sink once it was started, so a slow disk or a full pipe holds up its own
 * session and nothing else. The control side shares the counters and a stop flag with it.
 */
#ifndef PERFFLOW_SESSION_PIPELINE_H
#define PERFFLOW_SESSION_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/attach.h"
#include "probe/gpu.h"
#include "probe/pointcut_atoms.h"
#include "session/labels.h"
#include "session/ledger.h"
#include "session/rotation.h"
#include "session/symbolizer.h"
#include "sink/sink.h"
#include "util/cleanup.h"

struct pipeline;

struct pipeline_config {
	struct attach *attach; /* whose rings and CPU times are read; NULL in replay: then pipeline_feed() is all */
	const struct labels *labels;
	struct symbolizer *symbolizer; /* that the sink asks; borrowed, or NULL */
	struct gpu *gpu;	       /* whose samples are written; borrowed, or NULL */
	struct sink *sink;    /* owned from then on, also on failure; NULL: only count */
	struct output *output; /* of that sink, to be flushed; borrowed */
	struct rotation *rotation; /* of that output, or NULL; borrowed */
	int stop_fd;	       /* eventfd that pipeline_stop() makes readable, for the output to see; borrowed */
	uint64_t interval_ns;  /* between two samples of CPU usage */
	bool with_cpus;	       /* of each CPU, too */
	bool metrics_by_process; /* the kernel side is to be told which processes want counters in PerfFlowAspect's files */
	const struct pointcut_atoms *atoms; /* what depends on the process; borrowed, may be NULL */
	const struct pf_condition *scope;   /* on its atoms: which processes are in the trace; NULL: all. Borrowed */
	const struct python_plan *python;   /* which calls are wanted of those that an interpreter tells of; borrowed, may be NULL */
};

/* May be read by any thread at any time. */
struct pipeline_counts {
	uint64_t n_spans, n_marks, n_processes, n_bad_records, n_not_written, n_bytes;
	int output_error; /* negative errno, once the output has failed */
};

int pipeline_new(const struct pipeline_config *config, struct pipeline **ret_pipeline);
void pipeline_free(struct pipeline *pipeline); /* stops and joins the thread if it runs */
DEFINE_CLEANUP(struct pipeline, pipeline_free)

/*
 * The one door for kernel events: the rings call it live, replay and tests call it with bytes. What cannot be decoded is
 * counted, not fatal. Before pipeline_start(), any thread may feed.
 */
void pipeline_feed(struct pipeline *pipeline, unsigned int ring, const void *data, size_t size);

/* Writes what the trace begins with, so that an output that takes nothing is known of before anything is traced. */
int pipeline_begin(struct pipeline *pipeline);
int pipeline_start(struct pipeline *pipeline);

/*
 * Has the thread read what the rings hold, finish the trace and end. The kernel side sends nothing any more by then. The
 * reason and the warnings are copied.
 */
void pipeline_stop(struct pipeline *pipeline, const char *reason, const struct strings *warnings);

/* Where the control side notes what the trace lacks. */
struct ledger *pipeline_ledger(const struct pipeline *pipeline);

/* Readable when the thread has ended, or its output has failed. */
int pipeline_event_fd(const struct pipeline *pipeline);
bool pipeline_has_ended(const struct pipeline *pipeline);

/* In replay: everything that was fed goes to the sink, which is finished. */
int pipeline_finish(struct pipeline *pipeline, const char *reason);

void pipeline_count(const struct pipeline *pipeline, struct pipeline_counts *ret_counts);

#endif
