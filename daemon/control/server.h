/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/server.h - the socket: accept, check the peer, messages in and replies out
 *
 * Messages are Varlink's: one JSON object each, ended by a '\0'. Calls of one connection are answered in their order.
 */
#ifndef PERFFLOW_CONTROL_SERVER_H
#define PERFFLOW_CONTROL_SERVER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"
#include "util/why.h"

struct server;

/* A client. It lives until it is gone and no call of it waits for an answer. */
struct peer;

/*
 * One call that waits for its answer. It is valid until its last call_reply() or call_fail(), also when its client is
 * gone meanwhile: the answer is dropped then.
 */
struct call {
	struct peer *peer;
	const char *method;	  /* "io.perfflow.Start" */
	struct json_object *parameters; /* an object, never NULL */
	bool more, oneway;
	const char *refusal; /* or NULL: the sentence why its client is turned away, to be failed with from within */
	int *fds; /* that came with the message; taken by setting them to -1, the others are closed */
	size_t n_fds;
	void *userdata; /* of whoever answers it later */
};

struct server_limits {
	size_t message_bytes; /* of one call; and of those that wait for their turn */
	size_t unsent_bytes;  /* of answers that a peer does not read */
};
extern const struct server_limits server_default_limits;

struct server_ops {
	/*
	 * Whether there is room for one who has connected, beside n_all peers and n_own of its user. -EUSERS with a sentence
	 * if not: the first call of that one comes with it, and no second one.
	 */
	int (*admit)(const struct peer *peer, size_t n_all, size_t n_own, struct why *why, void *userdata);
	/* A call has come. It is answered from within, or later. */
	void (*call)(struct call *call, void *userdata);
	/*
	 * The peer will send no more: it shut its side down and waits for its answers, or is gone. Told again after
	 * each later step of the peer, for calls that it had sent before. The peer may be freed when its last call is
	 * answered, and is not to be used any more then.
	 */
	void (*hangup)(struct peer *peer, void *userdata);
	/* The last peer is gone, for a server without a listening socket. */
	void (*idle)(void *userdata);
};

int server_new(sd_event *loop, const struct server_limits *limits, const struct server_ops *ops, void *userdata,
	       struct server **ret_server);
void server_free(struct server *server);
DEFINE_CLEANUP(struct server, server_free)

/* Listens on a path (its folder is made if missing, mode is the socket's) or on a descriptor that listens already (owned from then on). */
int server_listen_path(struct server *server, const char *path, mode_t mode, struct why *why);
int server_listen_fd(struct server *server, int fd);
/* Serves one connected socket, which the server owns from then on (also on failure). */
int server_add_peer(struct server *server, int fd);
/* Waits until all answers are sent, or the time is over. */
void server_flush(struct server *server, int timeout_ms);

uid_t peer_uid(const struct peer *peer);
pid_t peer_pid(const struct peer *peer);
/* All of its groups, when it connected; an array that is freed with free(). */
int peer_groups(const struct peer *peer, gid_t **ret_groups, size_t *ret_n);
/* Whether nobody reads its answers any more. */
bool peer_is_gone(const struct peer *peer);

/*
 * Answers: parameters are taken, and may be NULL. With continues the call goes on waiting (it must have asked for
 * more). A peer that cannot be written to ends: hangup() tells.
 */
void call_reply(struct call *call, struct json_object *parameters, bool continues);
/* Answers with an error, "io.perfflow.NoMatch"; parameters are taken, and may be NULL. */
void call_fail(struct call *call, const char *error, struct json_object *parameters);

#endif
