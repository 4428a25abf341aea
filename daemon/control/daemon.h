/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control/daemon.h - owns the loop, the server and the sessions */
#ifndef PERFFLOW_CONTROL_DAEMON_H
#define PERFFLOW_CONTROL_DAEMON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "control/policy.h"
#include "control/runner.h"
#include "control/server.h"
#include "inspect/allowance.h"
#include "session/quota.h"
#include "util/hash.h"

struct daemon_config {
	const char *socket_path;
	const char *policy_path; /* or NULL: the usual one, which may be missing */
	const char *state_folder; /* where cuts are noted (control/cuts.h), or NULL: nowhere */
	int connection_fd; /* serve this connected socket alone and end with it; -1: listen */
};

#define DAEMON_MAX_SESSIONS POLICY_MAX_SESSIONS
#define DAEMON_KEPT_SESSIONS 16 /* that have ended, for List */

struct daemon_session;

/* As runner_ops.started, when the daemon has noted it. */
typedef void (*daemon_started_fn)(struct daemon_session *session, int r, const struct session_failure *failure, void *userdata);

struct daemon_session { /* a session and who waits for it */
	struct daemon *daemon;
	struct runner *runner;
	struct session *session; /* the runner's, or NULL: it has not started, or will not */
	uint64_t id;
	uid_t uid;
	daemon_started_fn started_fn;
	void *userdata;		/* of that */
	bool has_ended;		/* and whoever waited for that was told; or has not started */
	bool is_enough;		/* its owner waits for the answers alone */
	struct peer *owner;	/* whose going ends it, or NULL: detached, or the owner is gone */
	struct call *start_call; /* a Start with "more" that waits for the end, or NULL */
	struct call *stop_calls[8]; /* Stop calls that wait for it */
	size_t n_stop_calls;
};

struct daemon {
	const struct daemon_config *config;
	struct policy policy;
	sd_event *loop;
	struct server *server;
	struct daemon_session *sessions[DAEMON_MAX_SESSIONS + DAEMON_KEPT_SESSIONS];
	struct hash quotas; /* struct daemon_quotas, by uid */
	size_t n_sessions; /* oldest first, those that have ended too */
	uint64_t last_id;
	struct calibration *calibration; /* begun with the first session */
	struct cuts *cuts;
	int wake_fd; /* an eventfd: who changed something in the loop from another thread has it look */
	bool is_stopping; /* no session starts any more; ends with the last one */
	uint64_t started_us; /* since 1970 */
};

/* Reads the policy; why says what is wrong with it. */
int daemon_load_policy(const struct daemon_config *config, struct policy *ret_policy, struct why *why);
/* Runs until SIGTERM or SIGINT, or its one connection ends. Returns the exit status. */
int daemon_run(const struct daemon_config *config);

/* What a probe costs here: begins to measure it. NULL: it cannot be measured. */
const struct calibration *daemon_calibration(struct daemon *daemon);

/* For the commands. */
struct daemon_session *daemon_find_session(struct daemon *daemon, uint64_t id); /* which has started */
/* Those that start are among them. */
size_t daemon_n_running(const struct daemon *daemon);
size_t daemon_n_running_of(const struct daemon *daemon, uid_t uid);
/*
 * Begins to start a session with the next id, and forgets the oldest that has ended where there are many. The limit of
 * those that run is checked before. The config is as for runner_new(); owner may be NULL. Negative: started_fn is not called.
 */
int daemon_start_session(struct daemon *daemon, const struct session_config *config, struct peer *owner,
			 daemon_started_fn started_fn, void *userdata);
/* Of one that has started. */
struct json_object *daemon_describe_session(const struct daemon_session *session);
/* Those of a user, or with NULL all; those that were cut are the first. */
struct json_object *daemon_describe_sessions(const struct daemon *daemon, const uid_t *uid);

/* What all sessions of a user may take together, by the policy as it is now. They outlive the sessions. */
struct daemon_quotas {
	struct quota functions, bytes;
	struct allowance reading;
};
int daemon_quotas_of(struct daemon *daemon, uid_t uid, struct daemon_quotas **ret_quotas);

#endif
