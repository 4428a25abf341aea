/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a client may send: the server, the messages and the methods as they are, above a daemon that traces nothing. The input's
 * first byte says in how large steps it comes, and whether a descriptor comes along; each reply has to be a message, and no
 * descriptor may stay behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "control/command.h"
#include "control/daemon.h"
#include "util/log.h"
#include "util/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The daemon below the methods: it has no session and starts none. */

int daemon_start_session(struct daemon *daemon, const struct session_config *config, struct peer *owner,
			 daemon_started_fn started_fn, void *userdata)
{
	struct session_failure failure = {.fault = (enum session_fault)(config->aspects->n_items % 8), .column = 1};

	(void)daemon, (void)owner;
	session_config_close(config);
	started_fn(NULL, why_say(&failure.why, -EINVAL, "nothing is traced here"), &failure, userdata);
	return 0;
}

struct daemon_session *daemon_find_session(struct daemon *daemon, uint64_t id)
{
	(void)daemon, (void)id;
	return NULL;
}

size_t daemon_n_running(const struct daemon *daemon)
{
	(void)daemon;
	return 0;
}

size_t daemon_n_running_of(const struct daemon *daemon, uid_t uid)
{
	(void)daemon, (void)uid;
	return 0;
}

struct json_object *daemon_describe_session(const struct daemon_session *session)
{
	(void)session;
	abort();
}

struct json_object *daemon_describe_sessions(const struct daemon *daemon, const uid_t *uid)
{
	(void)daemon, (void)uid;
	return json_object_new_array();
}

const struct calibration *daemon_calibration(struct daemon *daemon)
{
	(void)daemon;
	return NULL;
}

int daemon_quotas_of(struct daemon *daemon, uid_t uid, struct daemon_quotas **ret_quotas)
{
	(void)daemon, (void)uid, (void)ret_quotas;
	return -ENOMEM;
}

void session_config_close(const struct session_config *config)
{
	closep(&config->output_fd);
	closep(&config->files_fd);
	closep(&config->pieces_fd);
}

void runner_stop(struct runner *runner, const char *reason)
{
	(void)runner, (void)reason;
	abort();
}

uint64_t session_info_lost(const struct session_info *info)
{
	(void)info;
	abort();
}

static void on_call(struct call *call, void *userdata)
{
	command_dispatch(userdata, call);
}

static void on_hangup(struct peer *peer, void *userdata)
{
	(void)peer, (void)userdata;
}

static int on_admit(const struct peer *peer, size_t n_all, size_t n_own, struct why *why, void *userdata)
{
	(void)peer, (void)n_all, (void)n_own, (void)why, (void)userdata;
	return 0;
}

static const struct server_ops ops = {.admit = on_admit, .call = on_call, .hangup = on_hangup};

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static void settle(sd_event *loop)
{
	while (sd_event_run(loop, 0) > 0)
		;
}

static void send_step(int socket, const uint8_t *data, size_t size, bool with_fd)
{
	struct iovec part = {(void *)data, size};
	int fd = with_fd ? memfd_create("output", MFD_CLOEXEC) : -1;

	pass_send(socket, &part, 1, fd, MSG_DONTWAIT);
	closep(&fd);
}

static void check_reply(const char *text)
{
	struct json_object *reply = json_tokener_parse(text), *member;

	if (!json_object_is_type(reply, json_type_object) || !json_object_object_get_ex(reply, "parameters", &member) ||
	    !json_object_is_type(member, json_type_object))
		abort();
	json_object_put(reply);
}

/* All that can be read now; a reply ends with '\0'. */
static void check_replies(int socket, struct text *left)
{
	char buffer[65536];
	ssize_t n;

	while ((n = recv(socket, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i]) {
				text_append(left, buffer + i, 1);
				continue;
			}
			check_reply(left->data ? left->data : "");
			left->size = 0;
		}
	}
}

static void send_all(sd_event *loop, int socket, const uint8_t *data, size_t size)
{
	_cleanup_(text_done) struct text left = {0};
	size_t step = (size_t)(data[0] & 0x7f) * 16 + 1;
	bool with_fd = data[0] & 0x80;

	for (size_t at = 1; at < size; at += step) {
		send_step(socket, data + at, size - at < step ? size - at : step, with_fd);
		settle(loop);
		check_replies(socket, &left);
	}
	shutdown(socket, SHUT_WR);
	settle(loop);
	check_replies(socket, &left);
	if (left.size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server_limits limits = {.message_bytes = 20000, .unsent_bytes = 100000};
	int before = lowest_free_fd(), sockets[2];
	struct daemon daemon = {0};
	struct server *server;

	if (size == 0)
		return 0;
	log_init(LOG_LEVEL_ERROR);
	policy_init(&daemon.policy);
	if (sd_event_new(&daemon.loop) < 0 || server_new(daemon.loop, &limits, &ops, &daemon, &server) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 || server_add_peer(server, sockets[0]) < 0)
		abort();
	send_all(daemon.loop, sockets[1], data, size);
	close(sockets[1]);
	settle(daemon.loop);
	server_free(server);
	sd_event_unref(daemon.loop);
	if (lowest_free_fd() != before)
		abort();
	return 0;
}
