/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session/session_internal.h - what the files of a session share: the struct, and the steps that starting it takes */
#ifndef PERFFLOW_SESSION_SESSION_INTERNAL_H
#define PERFFLOW_SESSION_SESSION_INTERNAL_H

#include "probe/attach.h"
#include "probe/gpu.h"
#include "probe/metrics.h"
#include "session/files.h"
#include "session/gate.h"
#include "session/late.h"
#include "session/members.h"
#include "session/overhead.h"
#include "session/pipeline.h"
#include "session/rotation.h"
#include "session/session.h"
#include "session/symbolizer.h"
#include "session/warnings.h"
#include "session/watch.h"
#include "session/weave.h"
#include "util/hash.h"
#include "util/reach.h"
#include "util/user.h"

#define SESSION_MAX_PROCESSES 16384

struct session {
	uint64_t id;
	enum session_state state;
	sd_event *loop; /* borrowed */
	session_ended_fn ended_fn;
	session_notice_fn notice_fn;
	void *userdata;

	struct strings aspects, command, warnings;
	char *binary;
	pid_t pid;
	uid_t uid;
	pid_t client_pid;
	bool allow_empty, with_sched;
	unsigned int interval_ms, budget_permille;
	struct metrics metrics;
	bool metrics_by_process; /* those that want PerfFlowAspect's counters, alone */
	struct users users; /* the pipeline's thread asks */
	const char *hw_names[PF_MAX_HW + 1]; /* of its perf counters, NULL-terminated */
	uint64_t started_us;
	char *reason;
	bool output_failed;

	struct privilege privilege; /* with a plain user: */
	bool is_restricted;
	struct members *members; /* then */
	uint64_t n_kernel_bytes; /* taken of the user's */
	struct labels *labels;
	struct attach *attach;
	struct inspector *inspector;
	struct overhead *overhead;
	struct weave weave;
	struct hash searched; /* files whose libraries were looked for: a set, by a hash of dev and ino */
	struct watch *watch;
	struct late late;
	struct gate *gate;
	struct gpu *gpu; /* where it is wanted and there is one */
	struct symbolizer *symbolizer; /* where some aspect wants stacks; the pipeline's thread's once that runs */
	struct files *files; /* where PerfFlowAspect's are wanted; the pipeline's thread's once that runs */
	struct rotation *rotation; /* the same, where the trace is to be in pieces */
	struct pipeline *pipeline;
	int stop_fd, target_fd;
	struct reach_limit reach; /* of its thread */
	sd_event_source *target_source, *pipeline_source, *gate_source;
	struct session_info final; /* the counts, once it has ended */
};

/* session_open.c: what it needs of the machine, in this order. */
void session_limit_reach(struct session *session, const struct session_config *config);
int session_choose_metrics(struct session *session, const char *text, struct session_failure *failure);
int session_open_inspector(struct session *session, const struct session_config *config);
int session_open_attach(struct session *session, const struct binary *program, struct session_failure *failure);
int session_open_overhead(struct session *session, const struct calibration *calibration);

/* session_trace.c: the pipeline, with all that it writes to. The output's descriptor is taken. */
int session_open_pipeline(struct session *session, const struct session_config *config, int *output_fd,
			  struct session_failure *failure);

/* session_scope.c: whom it sees. The program is of one that has a binary for its scope. */
int session_check_scope(struct session *session, const struct session_config *config, struct binary **ret_program,
			struct session_failure *failure);
int session_open_members(struct session *session);
int session_open_target(struct session *session, struct session_failure *failure);

/* session_weave.c: watches what processes execute and map from now on; then what they have already, or will have, is woven. */
int session_open_watch(struct session *session);
int session_weave(struct session *session, const struct binary *program, const char *python, struct session_failure *failure);

/* Says why it cannot be watched what processes execute and map. */
int session_cannot_watch(int r, struct why *why);

#endif
