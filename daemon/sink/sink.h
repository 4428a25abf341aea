/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/sink.h - where spans go: a format and a destination
 *
 * A format is a file with a struct sink_ops and a line in the table. All calls come from the
 * session's pipeline thread, in order of time (a span at its end).
 */
#ifndef PERFFLOW_SINK_SINK_H
#define PERFFLOW_SINK_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "trace/clock.h"
#include "trace/event.h"
#include "util/cleanup.h"
#include "util/text.h"

struct output;

/* What a join point is called in the trace. Lives as long as the sink. */
struct sink_label {
	const char *name;     /* the function, as the pattern matched it */
	const char *category; /* file name of its binary */
};

/* What is known when a trace begins, for its metadata. */
struct sink_start {
	const char *version; /* of perfflow */
	const char *host;
	const char *boot_id;
	const char *const *aspects; /* NULL-terminated */
	struct clock_snapshot clock;
};

/* A number on a track over time. */
struct sink_counter {
	const char *name;	/* of the track */
	const char *value_name; /* of the number in it, with its unit: "percent" */
	uint32_t pid;		/* of the process it belongs to, 0 for the machine */
	uint64_t time_ns;
	uint64_t thousandths; /* the value, times 1000 */
};

/* How a trace ended and what it lacks; written as its last record. */
struct sink_summary {
	const char *reason; /* "stopped", "target exited", ... */
	uint64_t time_ns;
	uint64_t n_spans;
	uint64_t n_processes;
	uint64_t losses[PF_N_LOSSES];
	uint64_t n_bad_records;	    /* that could not be decoded */
	uint64_t n_missed_runs;	    /* of the kernel side\'s programs */
	const struct strings *warnings; /* sentences: what else the trace lacks; or NULL */
	uint64_t n_ends[PF_N_ENDS]; /* spans by how they ended */
};

struct sink;

/* What is written after the output has failed is dropped, and the call returns the output's error:
 * it was not written. */
struct sink_ops {
	const char *name; /* as in the table of formats */
	size_t size; /* of the sink's own struct, which begins with struct sink and is zeroed */
	int (*open)(struct sink *sink, const struct sink_start *start);
	int (*span)(struct sink *sink, const struct pf_span *span, const struct sink_label *label);
	int (*mark)(struct sink *sink, const struct pf_event *mark, const struct sink_label *label);
	int (*process)(struct sink *sink, const struct pf_process_seen *process);
	int (*process_end)(struct sink *sink, const struct pf_process_end *process_end);
	int (*thread)(struct sink *sink, const struct pf_thread_seen *thread);
	int (*counter)(struct sink *sink, const struct sink_counter *counter);
	int (*finish)(struct sink *sink,
		      const struct sink_summary *summary); /* the last call but free */
	void (*free)(struct sink *sink); /* what it owns beside the output and itself */
};

/* The head of every sink's own struct. */
struct sink {
	const struct sink_ops *ops;
	struct output *output; /* owned */
};

/*
 * Makes a sink of that format ("chrome"); it owns the output from then on, also on failure.
 * -EINVAL: unknown format. The beginning of the trace is written at once, as far as that needs no
 * waiting, so this fails where the output does.
 */
int sink_new(const char *format, struct output *output, const struct sink_start *start,
	     struct sink **ret_sink);
void sink_free(struct sink *sink);
DEFINE_CLEANUP(struct sink, sink_free)

#endif
