/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/session.h - one trace, from start to stop: owns the probes, the pipeline and the sink */
#ifndef PERFFLOW_SESSION_SESSION_H
#define PERFFLOW_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "perfflow/event.h"
#include "probe/site.h"
#include "session/privilege.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct calibration;
struct overhead;
struct session;

enum session_state { SESSION_RUNNING, SESSION_ENDED };

#define SESSION_INTERVAL_MS 100
#define SESSION_MIN_INTERVAL_MS 10
#define SESSION_MAX_INTERVAL_MS 60000

/* What to trace. Borrowed: session_start() copies what it keeps. */
struct session_config {
	const struct strings *aspects;
	pid_t pid;		       /* scope: this process and its descendants; or 0 and */
	const char *binary;	       /* scope: every process of this program or library; neither: every process */
	const struct strings *command; /* with pid: what it is about to execute, or NULL */
	int output_fd;		       /* owned by the session from then on (also on failure), or -1: only count */
	int files_fd;		       /* the same: where PerfFlowAspect's files are made (session/files.h), or -1: none is */
	int pieces_fd;		       /* the same: where the files of its next pieces are made (session/rotation.h), or -1 */
	uint64_t piece_bytes, piece_ns; /* of those: 0 is without limit */
	int stop_fd; /* borrowed while the session lives: when it can be read, what is being read for it is given up; or -1 */
	bool compress;
	bool allow_empty;
	enum site_mode returns; /* how returns are seen, where an aspect does not say it */
	const char *metrics;	/* what spans carry (probe/metrics.h), or NULL: CPU time alone */
	const char *processes;	/* an expression of terms about processes, others are left out; or NULL */
	const char *python;	/* path of the library by which Python programs tell of their functions, or NULL */
	bool with_sched;	/* the scheduler's view */
	unsigned int budget_permille; /* of a thread's time that tracing may take, or 0: all of it */
	const struct calibration *calibration; /* what a probe costs here; borrowed while the session lives */
	unsigned int interval_ms; /* between two samples of CPU usage */
	unsigned int read_s; /* how long reading one binary may take; 0: INSPECTOR_LIMIT_S */
	uid_t uid;
	pid_t client_pid;
	const struct privilege *privilege; /* of a plain user, who may see no more than that; NULL: everything may be seen */
};

/* Closes the descriptors, where no session takes them. */
void session_config_close(const struct session_config *config);

/* Why session_start() failed, for the error of the protocol. */
enum session_fault {
	SESSION_FAULT_SYSTEM, /* the kernel or the machine */
	SESSION_FAULT_ASPECT, /* aspect, column */
	SESSION_FAULT_MATCH,  /* aspect, candidates */
	SESSION_FAULT_SCOPE,
	SESSION_FAULT_OUTPUT,
	SESSION_FAULT_LIMIT,
	SESSION_FAULT_METRICS,
	SESSION_FAULT_PERMISSION, /* of its user */
};

struct session_failure {
	enum session_fault fault;
	struct why why;
	char *aspect;
	size_t column; /* from 0 */
	struct strings candidates;
};
void session_failure_done(struct session_failure *failure);
int session_fail(struct session_failure *failure, enum session_fault fault, int r); /* notes the fault, and returns r */

#define SESSION_MAX_BUDGET_PERMILLE 1000

/* Called from the loop when there is something new in struct session_info's notices. */
typedef void (*session_notice_fn)(struct session *session, void *userdata);

/* Called once, from the loop, when a session has ended and its trace is complete. */
typedef void (*session_ended_fn)(struct session *session, void *userdata);

/*
 * Weaves and arms. ended_fn is never called from within. Whoever calls has the turn (session/turn.h), which goes to others while
 * binaries are read, now and when the loop runs.
 */
int session_start(sd_event *loop, uint64_t id, const struct session_config *config, session_ended_fn ended_fn,
		  session_notice_fn notice_fn, void *userdata, struct session **ret_session, struct session_failure *failure);

/* Begins to end it: session_ended_fn follows from the loop. Harmless on one that ends already. */
void session_stop(struct session *session, const char *reason);

/* Ends it at once if it still runs, waiting for its trace, and frees it. */
void session_free(struct session *session);
DEFINE_CLEANUP(struct session, session_free)

/* A copy of what is known of it, as of now. Strings are borrowed from the session. */
struct session_info {
	uint64_t id;
	enum session_state state;
	const char *reason; /* NULL while it runs */
	const struct strings *aspects, *warnings;
	pid_t pid;
	const char *binary;
	const struct strings *command;
	uid_t uid;
	pid_t client_pid;
	bool is_restricted; /* to what is its user's own */
	uint64_t started_us; /* since 1970 */
	uint64_t n_functions, n_binaries, n_spans, n_marks, n_processes, n_bytes;
	uint64_t n_files; /* of PerfFlowAspect's form */
	unsigned int n_pieces; /* of the trace; 0: it is one file, or none */
	uint64_t losses[PF_N_LOSSES];
	uint64_t n_bad_records, n_not_written, n_missed_runs;
	uint64_t n_limited; /* calls that the budget left out */
	unsigned int budget_permille;
	const struct overhead *overhead; /* what is limited, and the notices: see session/overhead.h; or NULL */
};
void session_describe(const struct session *session, struct session_info *ret_info);
uint64_t session_info_lost(const struct session_info *info); /* the sum of all losses */

#endif
