/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/pipeline_internal.h - what the files of the pipeline share. All of it is the thread's once that runs. */
#ifndef PERFFLOW_SESSION_PIPELINE_INTERNAL_H
#define PERFFLOW_SESSION_PIPELINE_INTERNAL_H

#include <pthread.h>

#include "probe/usage.h"
#include "session/pipeline.h"
#include "session/woven_labels.h"
#include "trace/event.h"
#include "trace/identity.h"
#include "util/hash.h"

struct gpu_track { /* of a process */
	const char *device; /* the struct gpu's */
	enum gpu_quantity quantity;
};

struct process { /* one that the session has seen */
	uint32_t pid;
	uint64_t since_ns, oncpu_ns; /* at its last sample */
	uint32_t atoms;		     /* that hold for it, once it is decided */
	bool is_decided;
	bool is_shown;		      /* in the trace */
	struct pf_process_seen *held; /* until it shows whether it is in scope; owned */
	struct gpu_track *gpu_tracks; /* that it has in the trace */
	size_t n_gpu_tracks;
};

struct pipeline {
	struct pipeline_config config;
	struct rings *rings;
	struct usage *usage;
	struct order *order;
	struct identities *identities;
	struct ledger *ledger;
	struct woven_labels *woven_labels;
	struct hash processes;	/* pid -> struct process */
	uint64_t sampled_ns;	/* when the machine was sampled last, 0: never */
	uint64_t sample_at_ns;	/* when it is to be next */
	uint64_t *busy_ns;	/* of each CPU, at that time */
	size_t n_cpus;		/* that have run something until then */
	uint64_t used_ns, shown_used_ns; /* by all processes of the session so far, and what of it its counter has */
	uint64_t flushed_ns;
	uint64_t last_ns; /* of the records that were written */
	uint64_t n_ends[PF_N_ENDS];
	struct sink_summary told; /* what the summaries of earlier pieces have counted */
	struct pipeline_counts counts; /* atomics; written by the thread alone */
	char *reason;
	struct strings warnings;
	int event_fd;
	pthread_t thread;
	bool is_running, stop, has_ended; /* the last two are atomics */
};

static inline void pipeline_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* What the sink could not take is counted; the reason is in the output, which keeps its first error. */
static inline void pipeline_note_written(struct pipeline *pipeline, int r)
{
	if (r < 0)
		pipeline_add(&pipeline->counts.n_not_written, 1);
}

/* pipeline_event.c: what is to come of a record; the sink's result. */
int pipeline_write_event(struct pipeline *pipeline, const struct event *event);

/* pipeline_process.c */
int pipeline_write_process(struct pipeline *pipeline, const struct pf_process_seen *seen);
int pipeline_write_process_end(struct pipeline *pipeline, const struct pf_process_end *end);
int pipeline_write_fork(struct pipeline *pipeline, const struct pf_fork *fork);
int pipeline_note_identity(struct pipeline *pipeline, uint32_t pid, int complete); /* which is what identities_...() returned */
bool pipeline_shows(const struct pipeline *pipeline, uint32_t pid);
uint64_t pipeline_n_shown(const struct pipeline *pipeline); /* those that are told again in the next piece */
void pipeline_settle_all(struct pipeline *pipeline); /* what has not come of a process will not come any more */
void pipeline_free_processes(struct pipeline *pipeline);

/*
 * Whether a record that the kernel side could not decide on is to be kept. What is known of the process came before it in
 * time; if some of that was lost, what there is decides.
 */
bool pipeline_wants(const struct pipeline *pipeline, const struct event *event, uint32_t atoms);

/* pipeline_usage.c: the samples of before that time, and of GPUs until then. */
void pipeline_write_samples(struct pipeline *pipeline, uint64_t before_ns);
void pipeline_sample_gpu(struct pipeline *pipeline, uint64_t until_ns);
void pipeline_write_last_sample(struct pipeline *pipeline, struct process *process, const struct pf_process_end *end);

#endif
