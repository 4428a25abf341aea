/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/runner.h - a session on a thread and a loop of its own
 *
 * So that whoever has to be served meanwhile is, while binaries are read for it. Its thread runs when it has the turn
 * (session/turn.h), and so do these calls and those that are made back: all are from the thread that has it.
 */
#ifndef PERFFLOW_CONTROL_RUNNER_H
#define PERFFLOW_CONTROL_RUNNER_H

#include "session/session.h"
#include "util/cleanup.h"

struct runner;

struct runner_ops {
	/* Once. The session is the runner's, or NULL: then r and the failure say why there is none. */
	void (*started)(struct session *session, int r, const struct session_failure *failure, void *userdata);
	/* As session_notice_fn and session_ended_fn. */
	void (*notice)(struct session *session, void *userdata);
	void (*ended)(struct session *session, void *userdata);
	/* Its loop has failed, and the session does not end by itself any more. */
	void (*failed)(int r, void *userdata);
};

/*
 * Begins to start it. The config's descriptors are owned from then on (also on failure), and what it borrows has to stay
 * until started() returns; its stop_fd is the runner's.
 */
int runner_new(uint64_t id, const struct session_config *config, const struct runner_ops *ops, void *userdata,
	       struct runner **ret_runner);

/* Begins to end it, also while it starts. The first reason counts. */
void runner_stop(struct runner *runner, const char *reason);

/* Of one that has ended, or has not started: waits for the thread, and closes what it had. Harmless a second time. */
void runner_join(struct runner *runner);

/* Waits for the thread, and frees the session; neither is for the calls above of the same runner. */
void runner_free(struct runner *runner);
DEFINE_CLEANUP(struct runner, runner_free)

#endif
