/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/sink.h - where spans go: a format and a destination
 *
 * A format is a file with a struct sink_ops and a line in the table. All calls come from the
 * session's pipeline thread, in order of time (a span at its end).
 */
#ifndef PERFFLOW_SINK_SINK_H
#define PERFFLOW_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/clock.h"
#include "trace/event.h"
#include "trace/identity.h"
#include "util/cleanup.h"
#include "util/text.h"

struct output;
struct pfw_start;

/* What the marks of a join point are. */
enum sink_kind {
	SINK_SPAN,	  /* moments: their return is not watched */
	SINK_MARK,	  /* moments */
	SINK_ASYNC_SPAN,  /* at the entry the beginning of something asynchronous, at the return its
			     end */
	SINK_ASYNC_BEGIN, /* beginnings */
	SINK_ASYNC_INSTANT, /* moments of it */
	SINK_ASYNC_END,	  /* ends */
};

/* Where arrows end and begin that an annotation in the source asks for. */
enum sink_flow { SINK_FLOW_NONE, SINK_FLOW_IN, SINK_FLOW_OUT, SINK_FLOW_INOUT, SINK_FLOW_OUTIN };

/* How the bytes of a value are shown. */
enum sink_format {
	SINK_SIGNED,
	SINK_UNSIGNED,
	SINK_FLOAT, /* 4 or 8 bytes */
	SINK_POINTER,
	SINK_BOOL,
	SINK_CHAR, /* of one byte, or a code point of more */
	SINK_STRING,
};

/* One of the values that are captured at a join point. */
struct sink_value {
	const char *name; /* NULL for what the function returns: "return" */
	enum sink_format format;
	unsigned int size; /* bytes; 0 of a string */
	bool is_hidden;	   /* it is there for the name or the category alone */
};

/*
 * What a join point is called in the trace, and what its records carry. Lives as long as the sink.
 * Without values, the indices of values may be anything.
 */
struct sink_label {
	const char *name;     /* the function, as the pattern matched it, or as name= has it */
	const char *category; /* file name of its binary, or as cat= has it */
	enum sink_kind kind;
	const struct sink_value *values; /* by the index of an item */
	unsigned int n_values;
	int name_value; /* the value whose text is the name, where it could be read; -1: none */
	int category_value; /* the same of the category */
	int scope_value;    /* the same of the scope of asynchronous events, which then tells
			       their ends apart in place of the name */
	int id_value;	/* the value by which async events are told apart, which comes as
			   PF_ITEM_ID; -1: none, the thread is the id */

	/* What PerfFlowAspect has in its files; NULL: as above, and no scope */
	const char *function, *module, *scope;
	enum sink_flow flow;
};

/*
 * Appends what stands for an address of code that a process had at that time, to which a call
 * returns: "solve+0x1c (libsolve.so.1)". Negative: nobody knows; it has appended nothing.
 */
typedef int (*sink_symbolize_fn)(void *opaque, uint32_t pid, uint64_t time_ns, uint64_t address,
				 struct text *ret);

/* What a user is called, or NULL. */
typedef const char *(*sink_user_fn)(void *opaque, uint32_t uid);

/* What is known when a trace begins, for its metadata. */
struct sink_start {
	const char *version; /* of perfflow */
	const char *host;
	const char *boot_id;
	const char *const *aspects; /* NULL-terminated */
	struct clock_snapshot clock;

	/* These are used later, too: they live as long as the sink. */
	const char *const *hw_names; /* of PF_METRIC_HW and on, NULL-terminated; or NULL */
	sink_symbolize_fn symbolize; /* or NULL: addresses are shown as numbers */
	void *symbolize_opaque;
	sink_user_fn user_name; /* or NULL: users are shown by number alone */
	void *user_opaque;
	/* Of a trace that is to be in several pieces: whether a thread has ended. NULL: it is one. */
	bool (*thread_has_ended)(uint32_t pid, uint32_t tid);
	const struct pfw_start *pfw; /* of the format "pfw", which has no output (sink/pfw.h) */
};

/* A number on a track over time. */
struct sink_counter {
	const char *category;	/* "cpu", "gpu" */
	const char *name;	/* of the track */
	const char *value_name; /* of the number in it, with its unit, as viewers show it behind the name: "%" */
	uint32_t pid;		/* of the process it belongs to, 0 for the machine */
	uint64_t time_ns;
	uint64_t thousandths; /* the value, times 1000 */
};

/* The overhead of a function is told of, or changes what is recorded of it. */
struct sink_step {
	const char *what; /* "costly", "sampled", "paused", "resumed" */
	const struct sink_label *label;
	uint64_t time_ns;
	uint32_t pid, tid;	  /* of the thread that it costs most */
	unsigned int permille;	  /* of that thread's time */
	unsigned int budget_permille; /* 0: there is none */
	uint64_t calls_per_s, call_ns;
	unsigned int sample; /* one call in so many is recorded from now on; 0: it is not sampled */
};

/*
 * Something that the trace lacks, in the time from begin_ns to end_ns: as soon as it is known, and
 * again for what came after.
 */
struct sink_loss {
	const char *reason; /* "ring_full", "paused", ... */
	const char *function, *module; /* as in struct sink_label, or NULL: not known */
	uint32_t pid;	    /* or 0 */
	uint64_t n;	    /* of whatever the reason says; 0: nobody has counted it */
	uint64_t begin_ns, end_ns; /* end 0: it goes on */
};

/* How a trace ended and what it lacks; written as its last record. */
struct sink_summary {
	const char *reason; /* "stopped", "target exited", ... */
	uint64_t time_ns;
	uint64_t n_spans;
	uint64_t n_marks;
	uint64_t n_processes;
	uint64_t n_short, n_sampled_out; /* calls that were left out as asked for: min=, sample= */
	uint64_t losses[PF_N_LOSSES];
	uint64_t n_bad_records;		/* that could not be decoded */
	uint64_t n_missed_runs;		/* of the kernel side's programs */
	uint64_t n_out_of_order;	/* records that came when younger ones had been written */
	uint64_t n_limited;		/* calls that the overhead budget left out of functions that it sampled */
	uint64_t n_entered_before;	/* returns from calls that had begun before they were traced */
	const struct strings *warnings; /* sentences: what else the trace lacks; or NULL */
	uint64_t n_ends[PF_N_ENDS];	/* spans by how they ended */
};

/* What a trace that is in several pieces begins its next one with. */
struct sink_piece {
	unsigned int number; /* from 1, which is what the sink was opened with */
	uint64_t time_ns;    /* nothing that comes is older */
	struct clock_snapshot clock;
};

/* Takes off what others have counted already; reason, time and warnings stay. */
void sink_summary_subtract(struct sink_summary *summary, const struct sink_summary *counted);

struct sink;

/* What is written after the output has failed is dropped, and the call returns the output's error:
 * it was not written. */
struct sink_ops {
	const char *name; /* as in the table of formats */
	size_t size; /* of the sink's own struct, which begins with struct sink and is zeroed */
	int (*open)(struct sink *sink, const struct sink_start *start);

	/* With their items. -EBADMSG: an item is none of the label's. */
	int (*span)(struct sink *sink, const struct event *span, const struct sink_label *label);
	int (*mark)(struct sink *sink, const struct event *mark, const struct sink_label *label);

	/* A process was seen first, or runs a new program; then, once, what else became known. */
	int (*process)(struct sink *sink, const struct pf_process_seen *process);
	int (*identity)(struct sink *sink, const struct identity *identity);
	int (*process_end)(struct sink *sink, const struct pf_process_end *process_end);
	int (*thread)(struct sink *sink, const struct pf_thread_seen *thread);
	int (*fork)(struct sink *sink, const struct pf_fork *fork);
	int (*cpu_switch)(struct sink *sink, const struct pf_switch *cpu_switch);
	int (*wake)(struct sink *sink, const struct pf_wake *wake);

	int (*counter)(struct sink *sink, const struct sink_counter *counter);

	/* NULL: the format has no place for it. */
	int (*step)(struct sink *sink, const struct sink_step *step);
	int (*loss)(struct sink *sink, const struct sink_loss *loss);

	/* Now and then: time to hand on what has waited. NULL: it hands on all to its output. */
	int (*flush)(struct sink *sink, uint64_t now_ns);
	/*
	 * Ends the piece with its own summary, and goes on in the file, which is the sink's from then on
	 * (also on failure): a trace for itself, where what lives or is open is told again. NULL: the
	 * format has no pieces.
	 */
	int (*next_piece)(struct sink *sink, int fd, const struct sink_summary *summary,
			  const struct sink_piece *piece);
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
