/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control/daemon.h - owns the loop, the server and the sessions */
#ifndef PERFFLOW_CONTROL_DAEMON_H
#define PERFFLOW_CONTROL_DAEMON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "control/server.h"
#include "session/session.h"

struct daemon_config {
	const char *socket_path;
	int connection_fd; /* serve this connected socket alone and end with it; -1: listen */
};

#define DAEMON_MAX_SESSIONS 64
#define DAEMON_KEPT_SESSIONS 16 /* that have ended, for List */

struct daemon_session { /* a session and who waits for it */
	struct daemon *daemon;
	struct session *session;
	uint64_t id;
	bool has_ended;		/* and whoever waited for that was told */
	struct peer *owner;	/* whose going ends it, or NULL: detached, or the owner is gone */
	struct call *start_call; /* a Start with "more" that waits for the end, or NULL */
	struct call *stop_calls[8]; /* Stop calls that wait for it */
	size_t n_stop_calls;
};

struct daemon {
	const struct daemon_config *config;
	sd_event *loop;
	struct server *server;
	struct daemon_session *sessions[DAEMON_MAX_SESSIONS + DAEMON_KEPT_SESSIONS];
	size_t n_sessions; /* oldest first, those that have ended too */
	uint64_t last_id;
	bool is_stopping; /* no session starts any more; ends with the last one */
	uint64_t started_us; /* since 1970 */
};

/* Runs until SIGTERM or SIGINT, or its one connection ends. Returns the exit status. */
int daemon_run(const struct daemon_config *config);

/* For the commands. */
struct daemon_session *daemon_find_session(struct daemon *daemon, uint64_t id);
size_t daemon_n_running(const struct daemon *daemon);
/*
 * Starts a session with the next id, and forgets the oldest that has ended where there are many. The limit of those
 * that run is checked before. What it returns belongs to the daemon; as with session_start(), failure says why not.
 */
int daemon_start_session(struct daemon *daemon, const struct session_config *config,
			 struct daemon_session **ret_session, struct session_failure *failure);
struct json_object *daemon_describe_session(const struct daemon_session *session);
struct json_object *daemon_describe_sessions(const struct daemon *daemon);

#endif
