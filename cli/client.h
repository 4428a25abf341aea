/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* client.h - the connection to perfflowd: connect, send, receive */
#ifndef PERFFLOW_CLI_CLIENT_H
#define PERFFLOW_CLI_CLIENT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct client;

/*
 * Connects to the service at socket_path, else at $PERFFLOW_SOCKET, else at the default path. Where
 * none of the first two is given, nobody answers and we are root, a daemon is started for this
 * client alone, if it may.
 */
int client_connect(const char *socket_path, bool may_start_daemon, struct client **ret_client,
		   struct why *why);
/* Ends the connection, and waits for a daemon of our own. */
void client_free(struct client *client);
DEFINE_CLEANUP(struct client, client_free)

/*
 * Sends a call. parameters are taken (NULL: none, or there was no memory for them); the descriptors
 * go along, CLIENT_MAX_FDS at most.
 */
#define CLIENT_MAX_FDS 4
int client_call(struct client *client, const char *method, struct json_object *parameters,
		bool more, const int *fds, size_t n_fds, struct why *why);

struct reply { /* all zero is none */
	struct json_object *message;
	struct json_object *parameters; /* of message; an object, or NULL */
	const char *error;		/* of message, or NULL */
	bool continues;
};
void reply_done(struct reply *reply);

/* Waits for the next reply. -ECONNRESET: the daemon has gone. */
int client_receive(struct client *client, struct reply *ret_reply, struct why *why);

/*
 * Connects to a service that runs, calls, and waits for the one reply; parameters are taken.
 * Whatever fails is printed.
 */
int client_ask(const char *socket_path, const char *method, struct json_object *parameters,
	       struct reply *ret_reply);

/* Whether client_receive() returns at once; else the descriptor becomes readable. */
bool client_has_reply(const struct client *client);
int client_fd(const struct client *client);

/* Says that no more calls will come: whatever was started ends. Replies still come. */
void client_hang_up(struct client *client);

/* A JSON string, with what is no UTF-8 replaced. */
struct json_object *json_text(const char *text);

#endif
