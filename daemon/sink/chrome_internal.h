/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/chrome_internal.h - what the files of the Chrome format share */
#ifndef PERFFLOW_SINK_CHROME_INTERNAL_H
#define PERFFLOW_SINK_CHROME_INTERNAL_H

#include <stdbool.h>

#include "sink/sink.h"
#include "trace/async.h"
#include "util/hash.h"
#include "util/text.h"

#define METADATA_CATEGORY "__metadata"
#define CHROME_MAX_ASYNCS 100000 /* that are open at once */

/* What is kept of a join point. */
struct prefix {
	uint32_t *keys; /* where in data the keys of its values begin (,"name":) and end; owned, and
			   data with it */
	char *data;	/* ,\n{"name":"...","cat":"...","ph":" and the keys */
	size_t size;	/* without the keys */
};

/* Lines that each piece of a trace has of what lives. */
enum kept_line { KEPT_NAME, KEPT_ORDER, KEPT_LABELS, KEPT_PROGRAM, KEPT_N_LINES, KEPT_THREAD };
struct kept; /* of a process */

struct process { /* the newest one that had a pid */
	uint64_t start_ns;
	uint32_t shown_pid;
	bool ended;
	struct kept *kept; /* or NULL */
	uint32_t order; /* as the trace saw them begin */
};

struct chrome {
	struct sink sink;
	struct text line; /* that is put together */
	size_t time_at, time_end; /* where its time stands in it */

	struct prefix *prefixes; /* by the number of the join point */
	size_t n_prefixes;
	struct text uncached; /* the prefix of one that is not kept */
	uint32_t uncached_keys[PF_MAX_CAPTURES + 1];
	struct text name, category, scope; /* of a span or mark, where a value tells it */
	struct text symbol; /* what stands for an address */

	struct hash processes; /* pid -> struct process, owned */
	uint32_t n_processes, n_renumbered;
	bool has_machine; /* the process that stands for it has its name, in this file */
	uint64_t n_arrows;

	struct async *async;
	struct {		     /* marks of async events that are shown as moments */
		uint64_t unbegun;    /* ends whose beginning was not seen */
		uint64_t unfollowed; /* beginnings that found too many open */
		uint64_t without_id; /* which could not be read */
	} n_alone;
	uint64_t n_pauses;     /* of functions that were past the overhead budget */
	uint64_t n_unfinished; /* that were open at the end of the trace */
	uint64_t n_continued;  /* at the end of the piece: the next one has them again */

	struct hash threads; /* tid -> struct sched_thread, owned */
	struct hash cpus;    /* number -> struct sched_thread that it runs */

	struct text head; /* args of the first record that all pieces have */
	uint64_t began_ns;
	unsigned int piece; /* 0: there is one alone */

	/* as in struct sink_start */
	bool (*thread_has_ended)(uint32_t pid, uint32_t tid);
	char *host;
	const char *const *hw_names;
	sink_user_fn user_name;
	void *user_opaque;
	sink_symbolize_fn symbolize;
	void *symbolize_opaque;
};

/* chrome_label.c: valid until the next call for another join point */
int chrome_make_prefix(struct chrome *chrome, uint32_t joinpoint, const struct sink_label *label,
		       struct prefix *ret_prefix);
void chrome_free_prefixes(struct chrome *chrome);

static inline int chrome_find_prefix(struct chrome *chrome, uint32_t joinpoint,
				     const struct sink_label *label, struct prefix *ret_prefix)
{
	if (joinpoint < chrome->n_prefixes && chrome->prefixes[joinpoint].data) {
		*ret_prefix = chrome->prefixes[joinpoint];
		return 0;
	}
	return chrome_make_prefix(chrome, joinpoint, label, ret_prefix);
}

/* chrome_line.c: a record that is rare, put together in chrome->line and then written */
int chrome_append_prefix(struct text *text, const char *name, const char *category);
uint32_t chrome_shown_pid(const struct chrome *chrome, uint32_t pid);
uint32_t chrome_shown_tid(const struct chrome *chrome, uint32_t pid, uint32_t tid);
char *chrome_put_pid_tid(char *p, const struct chrome *chrome, uint32_t pid, uint32_t tid);
/* Begins it anew, up to pid and tid; "," and the rest follow. */
int chrome_begin_line(struct chrome *chrome, const char *name, const char *category,
		      const char *phase, const struct pf_event *event);
/* The same with a pid and tid that are as they are shown. */
int chrome_begin_shown(struct chrome *chrome, const char *name, const char *category,
		       const char *phase, const struct pf_event *event);
/* The same for a record of our own that viewers do not know, up to its args. */
int chrome_begin_own(struct chrome *chrome, const char *name, uint64_t time_ns);
int chrome_begin_args(struct chrome *chrome); /* ,"args":{ */
int chrome_end_args(struct chrome *chrome);   /* ends the event, and writes it */
int chrome_write_line(struct chrome *chrome);
/* An arrow's end: an event without duration on a thread, with an arg of its own. */
int chrome_arrow(struct chrome *chrome, const char *name, const char *category,
		 const struct pf_event *at, uint64_t number, bool is_out, const char *key,
		 uint32_t value);

/* chrome_values.c: the args that a span or mark has beside its times, appended to chrome->line */
int chrome_append_items(struct chrome *chrome, const struct event *event,
			const struct sink_label *label);
/* The name and the category: where a value is to tell one and does, that, until the next call; else
 * the label's. */
int chrome_find_names(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char **ret_name,
		      const char **ret_category);

/* The scope, as long; NULL where no value tells one. */
int chrome_find_scope(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char **ret_scope);

/* chrome_async.c */
int chrome_moment(struct chrome *chrome, const struct event *event, const struct sink_label *label);
/* key_name: by which ends find their beginnings, together with the category and the id. */
int chrome_async_mark(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char *key_name);
int chrome_abandon_asyncs(struct chrome *chrome, const struct pf_process_end *end);
int chrome_finish_asyncs(struct chrome *chrome, uint64_t time_ns);
/* At the end of a piece, and at the beginning of the next. */
int chrome_cut_asyncs(struct chrome *chrome, uint64_t time_ns);
int chrome_resume_asyncs(struct chrome *chrome);

/* chrome_process.c */
int chrome_process(struct sink *sink, const struct pf_process_seen *seen);
int chrome_identity(struct sink *sink, const struct identity *identity);
int chrome_process_end(struct sink *sink, const struct pf_process_end *end);
int chrome_thread(struct sink *sink, const struct pf_thread_seen *thread);
int chrome_fork(struct sink *sink, const struct pf_fork *fork);
/* Before the first event of no process (pid 0). */
int chrome_name_machine(struct chrome *chrome, uint64_t time_ns);
bool chrome_is_announced(const struct chrome *chrome, uint32_t pid);
int chrome_write_name(struct chrome *chrome, const char *what, const struct pf_event *event,
		      const char *name);
void chrome_free_processes(struct chrome *chrome);

/* chrome_piece.c */
int chrome_next_piece(struct sink *sink, int fd, const struct sink_summary *summary,
		      const struct sink_piece *piece);
/* Keeps the line that was written last, if there are to be pieces, until its process has ended. */
int chrome_keep(struct chrome *chrome, enum kept_line which, const struct pf_event *event);
void chrome_forget(struct process *process);

/* chrome_sched.c */
int chrome_cpu_switch(struct sink *sink, const struct pf_switch *cpu_switch);
int chrome_wake(struct sink *sink, const struct pf_wake *wake);
int chrome_finish_sched(struct chrome *chrome, uint64_t time_ns);
int chrome_cut_sched(struct chrome *chrome, uint64_t time_ns);
int chrome_resume_sched(struct chrome *chrome, uint64_t time_ns);
void chrome_free_sched(struct chrome *chrome);

/* chrome_ledger.c: what the trace lacks, as it becomes known */
int chrome_step(struct sink *sink, const struct sink_step *step);
int chrome_loss(struct sink *sink, const struct sink_loss *loss);

/* chrome_summary.c: the first record and the last one */
int chrome_write_start(struct chrome *chrome, const struct sink_start *start);
int chrome_write_head(struct chrome *chrome, const struct clock_snapshot *clock);
int chrome_write_summary(struct chrome *chrome, const struct sink_summary *summary);

#endif
