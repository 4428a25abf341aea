/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* maker.c - requests in, descriptors out, one after another */
#include "maker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/pass.h"

#define MAX_REQUEST_BYTES 65536

enum { SOCKET = 3, KEPT, FIRST_CLOSED };

/* A descriptor goes along, or is -1. */
static int answer(struct json_object *object, int fd)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	struct iovec data = {(char *)text, text ? strlen(text) : 0};
	ssize_t n = pass_send(SOCKET, &data, 1, fd, 0);

	return n < 0 ? n : 0;
}

static int take_request(const struct maker *maker, const char *text)
{
	struct json_object *object = json_tokener_parse(text), *reply = json_object_new_object();
	int fd, r;

	fd = maker->make(maker->userdata, object, reply);
	if (fd < 0)
		json_object_object_add(reply, "message", json_object_new_string(strerror(-fd)));
	r = answer(reply, fd);
	closep(&fd);
	json_object_put(reply);
	json_object_put(object);
	return r;
}

/* Until the daemon has no more to ask. */
static void serve(const struct maker *maker)
{
	static char text[MAX_REQUEST_BYTES];
	ssize_t n;

	for (;;) {
		n = recv(SOCKET, text, sizeof(text) - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text[n] = '\0';
		if (take_request(maker, text) < 0)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0) /* children of make() that hung */
			;
	}
}

static void close_all_from(unsigned int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (unsigned int fd = first; fd < 65536; fd++)
		close((int)fd);
}

/* It has only what it needs: nothing may wait for the end of what it does not know of. Signals from
 * the terminal are for others. */
static void __attribute__((noreturn)) become_maker(const struct maker *maker, int socket)
{
	int null = open("/dev/null", O_RDWR);
	int fds[] = {null, socket, maker->kept_fd ? *maker->kept_fd : null};
	static const int targets[] = {STDERR_FILENO, SOCKET, KEPT};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, maker->name);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) /* first out of each other's way */
		fds[i] = fcntl(fds[i], F_DUPFD, 64);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] < 0 || dup2(fds[i], targets[i]) < 0)
			_exit(EXIT_FAILURE);
	dup2(STDERR_FILENO, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (maker->kept_fd)
		*maker->kept_fd = KEPT;
	close_all_from(FIRST_CLOSED);
	serve(maker);
	if (maker->on_end)
		maker->on_end(maker->userdata);
	_exit(EXIT_SUCCESS);
}

int maker_start(const struct maker *maker, pid_t *ret_pid, int *ret_fd, struct why *why)
{
	int sockets[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return why_set(why, -errno, "cannot make a pair of sockets");
	pid = fork();
	if (pid == 0)
		become_maker(maker, sockets[1]);
	close(sockets[1]);
	if (pid < 0) {
		close(sockets[0]);
		return why_set(why, -errno, "cannot make a process that makes the files");
	}
	*ret_pid = pid;
	*ret_fd = sockets[0];
	return 0;
}
