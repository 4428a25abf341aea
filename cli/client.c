/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * client.c - the connection to perfflowd
 *
 * Without a service, root gets a daemon of its own at the other end of a socket pair, so that the
 * first trace needs no set-up. It is looked for beside this program first: a build folder or an
 * unpacked archive works as it is. Its standard output is closed to it, since ours may be the
 * trace.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "report.h"

#define DEFAULT_SOCKET_PATH "/run/perfflow/io.perfflow"
#define READ_BYTES	    (64 * 1024)
#define MAX_REPLY_BYTES	    (64 * 1024 * 1024)

struct client {
	int fd;
	pid_t daemon_pid; /* of a daemon of our own, or 0 */
	struct text in;	  /* begins with the next reply */
};

static int connect_path(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;

	*ret_fd = take_fd(fd);
	return 0;
}

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

static char *find_in_path(const char *name)
{
	_cleanup_free_ char *folders = NULL;
	const char *path = getenv("PATH");
	char *rest, *folder, *file;

	folders = strdup(path ? path : "");
	if (!folders)
		return NULL;
	rest = folders;
	while ((folder = strsep(&rest, ":"))) {
		if (folder[0] != '/' || asprintf(&file, "%s/%s", folder, name) < 0)
			continue;
		if (is_program(file))
			return file;
		free(file);
	}

	return NULL;
}

static char *find_daemon(void)
{
	static const char *const beside[] = {"perfflowd", "../sbin/perfflowd"};
	char own[PATH_MAX], *file;
	ssize_t n;

	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (n > 0) {
		own[n] = '\0';
		*strrchr(own, '/') = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
			if (asprintf(&file, "%s/%s", own, beside[i]) < 0)
				return NULL;
			if (is_program(file))
				return file;
			free(file);
		}
	}
	if (is_program(PERFFLOWD_PATH))
		return strdup(PERFFLOWD_PATH);

	return find_in_path("perfflowd");
}

static void __attribute__((noreturn)) become_daemon(const char *path, int socket_fd)
{
	char number[16];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
	}
	fcntl(socket_fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", socket_fd);
	execl(path, path, "--log-level", "warning", "--connection", number, (char *)NULL);
	report("cannot execute '%s': %s", path, strerror(errno));
	_exit(127);
}

static int start_daemon(struct client *client, struct why *why)
{
	_cleanup_free_ char *path = find_daemon();
	int sockets[2];

	if (!path)
		return why_say(why, -ENOENT,
			       "there is no perfflowd, neither beside this program nor in PATH");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return why_set(why, -errno, "cannot make a pair of sockets");

	client->daemon_pid = fork();
	if (client->daemon_pid == 0)
		become_daemon(path, sockets[1]);
	close(sockets[1]);
	client->fd = sockets[0];
	if (client->daemon_pid < 0) {
		client->daemon_pid = 0;
		return why_set(why, -errno, "cannot make a process for perfflowd");
	}

	return 0;
}

int client_connect(const char *socket_path, bool may_start_daemon, struct client **ret_client,
		   struct why *why)
{
	_cleanup_(client_freep) struct client *client = calloc(1, sizeof(*client));
	const char *path = socket_path ? socket_path : getenv("PERFFLOW_SOCKET");
	bool is_given = path && *path;
	int r;

	if (!client)
		return -ENOMEM;
	client->fd = -1;
	if (!is_given)
		path = DEFAULT_SOCKET_PATH;

	r = connect_path(path, &client->fd);
	if (r < 0 && !is_given && may_start_daemon && geteuid() == 0) {
		r = start_daemon(client, why);
		if (r < 0)
			return r;
	} else if (r == -EACCES || r == -EPERM) {
		return why_say(why, r, "you may not use the service at %s: it is for root and the group of its socket", path);
	} else if (r < 0) {
		return why_say(why, r, "no perfflowd answers at %s%s", path,
			       may_start_daemon && !is_given ? "; start one, or run as root" : "");
	}

	*ret_client = take_ptr(client);
	return 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;

	closep(&client->fd);
	if (client->daemon_pid > 0)
		while (waitpid(client->daemon_pid, NULL, 0) < 0 && errno == EINTR)
			;
	text_done(&client->in);
	free(client);
}

struct json_object *json_text(const char *text)
{
	_cleanup_(text_done) struct text json = {0};

	if (text_append(&json, "\"", 1) < 0 || text_append_json(&json, text, strlen(text)) < 0 ||
	    text_append(&json, "\"", 1) < 0)
		return NULL;

	return json_tokener_parse(json.data);
}

static int send_message(int socket_fd, const char *data, size_t size, const int *fds, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(CLIENT_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec vector = {(char *)data, size};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}

	while (vector.iov_len > 0) {
		n = sendmsg(socket_fd, &header, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* The descriptors went with the first bytes. */
		header.msg_control = NULL;
		header.msg_controllen = 0;
		vector.iov_base = (char *)vector.iov_base + n;
		vector.iov_len -= (size_t)n;
	}

	return 0;
}

int client_call(struct client *client, const char *method, struct json_object *parameters,
		bool more, const int *fds, size_t n_fds, struct why *why)
{
	struct json_object *message = json_object_new_object();
	const char *json;
	int r;

	if (!parameters)
		parameters = json_object_new_object();
	json_object_object_add(message, "method", json_text(method));
	json_object_object_add(message, "parameters", parameters);
	if (more)
		json_object_object_add(message, "more", json_object_new_boolean(true));

	json = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN);
	r = json ? send_message(client->fd, json, strlen(json) + 1, fds, n_fds) : -ENOMEM;
	json_object_put(message);
	if (r == -EPIPE || r == -ECONNRESET)
		return why_say(why, -ECONNRESET, "perfflowd has gone");
	if (r < 0)
		return why_set(why, r, "cannot send to perfflowd");

	return 0;
}

void reply_done(struct reply *reply)
{
	json_object_put(reply->message);
	*reply = (struct reply){0};
}

bool client_has_reply(const struct client *client)
{
	return client->in.size > 0 && memchr(client->in.data, '\0', client->in.size);
}

int client_fd(const struct client *client)
{
	return client->fd;
}

void client_hang_up(struct client *client)
{
	shutdown(client->fd, SHUT_WR);
}

static int receive_bytes(struct client *client, struct why *why)
{
	char buffer[READ_BYTES];
	ssize_t n;

	n = recv(client->fd, buffer, sizeof(buffer), 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return why_say(why, -ECONNRESET, "perfflowd has gone");
	if (n < 0)
		return why_set(why, -errno, "cannot receive from perfflowd");
	if (client->in.size + (size_t)n > MAX_REPLY_BYTES)
		return why_say(why, -EMSGSIZE, "perfflowd answers without an end");

	return text_append(&client->in, buffer, (size_t)n);
}

int client_receive(struct client *client, struct reply *ret_reply, struct why *why)
{
	struct reply reply = {0};
	size_t size;
	int r;

	while (!client_has_reply(client)) {
		r = receive_bytes(client, why);
		if (r < 0)
			return r;
	}

	size = strlen(client->in.data) + 1;
	reply.message = json_tokener_parse(client->in.data);
	memmove(client->in.data, client->in.data + size, client->in.size - size);
	client->in.size -= size;
	if (!json_object_is_type(reply.message, json_type_object)) {
		reply_done(&reply);
		return why_say(why, -EBADMSG, "perfflowd answers what is no Varlink");
	}

	reply.parameters = member_object(reply.message, "parameters", json_type_object);
	if (member_object(reply.message, "error", json_type_string))
		reply.error = member_string(reply.message, "error");
	reply.continues = json_object_get_boolean(
		member_object(reply.message, "continues", json_type_boolean));
	*ret_reply = reply;

	return 0;
}

static int ask(const char *socket_path, const char *method, struct json_object *parameters,
	       struct reply *ret_reply, struct why *why)
{
	_cleanup_(client_freep) struct client *client = NULL;
	int r;

	r = client_connect(socket_path, false, &client, why);
	if (r < 0) {
		json_object_put(parameters);
		return r;
	}
	r = client_call(client, method, parameters, false, NULL, 0, why);
	if (r < 0)
		return r;

	return client_receive(client, ret_reply, why);
}

int client_ask(const char *socket_path, const char *method, struct json_object *parameters,
	       struct reply *ret_reply)
{
	struct reply reply = {0};
	struct why why = {0};
	int r;

	r = ask(socket_path, method, parameters, &reply, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return r;
	}
	if (reply.error) {
		report_error(&reply);
		reply_done(&reply);
		return -EREMOTEIO;
	}

	*ret_reply = reply;
	return 0;
}
