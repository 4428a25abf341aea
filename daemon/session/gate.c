/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A permission event stops whoever executes a file until it is answered, so the answer must never depend on a daemon that is
 * busy or stuck. It comes from a process of its own, a fork that does nothing else: those out of scope pass at once, those in
 * scope after the daemon's word or HOLD_MS. When either process ends the kernel lets all pass.
 *
 * Decided against: stopping the process with a signal or ptrace (its parent notices), and a seccomp notification (when its
 * listener dies, every execve fails).
 */
#include "session/gate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "probe/attach_scope.h"
#include "probe/features.h"
#include "util/now.h"
#include "util/pass.h"
#include "util/reach.h"

#define HOLD_MS 2000

struct gate {
	int socket; /* to the process that answers; a byte lets the one that waits pass */
	pid_t keeper;
	int file; /* that the one which waits is about to execute, or -1 */
	char path[PATH_MAX];
};

/* The keeper's descriptors, at fixed places so that all others can be closed. */
enum { KEEPER_EVENTS = 3, KEEPER_SOCKET, KEEPER_PROCESSES, KEEPER_FIRST_OTHER };

static void allow(int file)
{
	struct fanotify_response response = { .fd = file, .response = FAN_ALLOW };
	ssize_t written = write(KEEPER_EVENTS, &response, sizeof(response));

	(void)written; /* the one that waited was killed */
	close(file);
}

static bool is_in_scope(uint32_t pid)
{
	struct attach_process process;

	return bpf_map_lookup_elem(KEEPER_PROCESSES, &pid, &process) == 0;
}

/* Sends the pid, and the file with it. */
static int ask(pid_t pid, int file)
{
	struct iovec data = { .iov_base = &pid, .iov_len = sizeof(pid) };
	ssize_t n = pass_send(KEEPER_SOCKET, &data, 1, file, 0);

	return n == sizeof(pid) ? 0 : n < 0 ? n : -EPIPE;
}

static uint64_t now_ms(void)
{
	return clock_now_ns(CLOCK_MONOTONIC) / 1000000;
}

struct held { /* a process that waits for the daemon's word */
	int file;
	uint64_t until_ms;
};

struct waiting { /* in the order in which they came, which is that of the daemon's words */
	struct held held[64];
	size_t n;
	size_t n_words_late; /* for those that have passed since their time was up */
};

/* Nobody is held for a daemon that is behind with others. */
static void hold_or_allow(struct waiting *waiting, const struct fanotify_event_metadata *event)
{
	if (event->fd < 0)
		return;
	if (waiting->n == ARRAY_SIZE(waiting->held) || waiting->n_words_late || !is_in_scope(event->pid) ||
	    ask(event->pid, event->fd) < 0) {
		allow(event->fd);
		return;
	}
	waiting->held[waiting->n++] = (struct held){ .file = event->fd, .until_ms = now_ms() + HOLD_MS };
}

static void let_pass(struct waiting *waiting, size_t n)
{
	for (size_t i = 0; i < n; i++)
		allow(waiting->held[i].file);
	waiting->n -= n;
	memmove(waiting->held, waiting->held + n, waiting->n * sizeof(*waiting->held));
}

/* A late word lets nobody else pass. */
static void take_words(struct waiting *waiting, size_t n)
{
	size_t n_late = n < waiting->n_words_late ? n : waiting->n_words_late;

	waiting->n_words_late -= n_late;
	n -= n_late;
	let_pass(waiting, n < waiting->n ? n : waiting->n);
}

static void let_overdue_pass(struct waiting *waiting)
{
	uint64_t now = now_ms();
	size_t n = 0;

	while (n < waiting->n && waiting->held[n].until_ms <= now)
		n++;
	let_pass(waiting, n);
	waiting->n_words_late += n;
}

/* The keeper. */
static void keep(void)
{
	struct fanotify_event_metadata events[64];
	struct waiting waiting = {};

	for (;;) {
		struct pollfd fds[] = { { .fd = KEEPER_EVENTS, .events = POLLIN },
					{ .fd = KEEPER_SOCKET, .events = POLLIN } };
		char words[64];
		ssize_t n;

		if (poll(fds, 2, waiting.n ? 100 : -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents) {
			n = recv(KEEPER_SOCKET, words, sizeof(words), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				return;
			if (n > 0)
				take_words(&waiting, n);
		}
		let_overdue_pass(&waiting);
		if (!(fds[0].revents & POLLIN))
			continue;
		n = read(KEEPER_EVENTS, events, sizeof(events));
		for (struct fanotify_event_metadata *event = events; n > 0 && FAN_EVENT_OK(event, n);
		     event = FAN_EVENT_NEXT(event, n))
			hold_or_allow(&waiting, event);
	}
}

/* After the fork: only what is safe there. Nothing of the daemon's may stay open here, or its ends would go unnoticed. */
static void become_keeper(int events, int socket, int processes)
{
	static const int targets[] = { KEEPER_EVENTS, KEEPER_SOCKET, KEEPER_PROCESSES };
	int fds[] = { events, socket, processes };

	for (size_t i = 0; i < 3; i++) { /* first out of each other's way */
		fds[i] = fcntl(fds[i], F_DUPFD, 64);
		if (fds[i] < 0)
			return;
	}
	for (size_t i = 0; i < 3; i++)
		if (dup2(fds[i], targets[i]) < 0)
			return;
	if (syscall(__NR_close_range, KEEPER_FIRST_OTHER, ~0U, 0) < 0)
		for (int fd = KEEPER_FIRST_OTHER; fd < 65536; fd++)
			close(fd);
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_NAME, "perfflow-gate");
	keep();
}

/* Undoes /proc/self/mountinfo's escapes (\040) in place. */
static void unescape(char *path)
{
	char *to = path;

	for (char *from = path; *from; to++) {
		unsigned int code;

		if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
			*to = code;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Whether it answers shows before it is marked, which nobody could give up. */
static int mark_file_system(int events, const char *path)
{
	struct stat status;
	int r;

	r = reach_stat(path, &status);
	if (r < 0)
		return r;
	return fanotify_mark(events, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0 ? -errno : 0;
}

/* Watches each file system from which something could be executed; those that cannot be marked, or do not answer, hold no programs. */
static int mark_file_systems(int events)
{
	_cleanup_(fclosep) FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[8192], path[PATH_MAX];
	int n_marked = 0;

	if (!mounts)
		return -errno;
	while (fgets(line, sizeof(line), mounts)) {
		if (sscanf(line, "%*d %*d %*s %*s %4095s", path) != 1)
			continue;
		unescape(path);
		n_marked += mark_file_system(events, path) == 0;
	}
	return n_marked ? 0 : -EOPNOTSUPP;
}

int gate_open(int processes_fd, struct gate **ret_gate)
{
	_cleanup_(gate_closep) struct gate *gate = NULL;
	_cleanup_close_ int events = -1;
	int sockets[2], r;

	if (feature_is_disabled(FEATURE_GATE))
		return -EOPNOTSUPP;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return -ENOMEM;
	gate->socket = gate->file = -1;
	events = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	if (events < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	gate->socket = sockets[0];
	gate->keeper = fork();
	if (gate->keeper == 0) {
		become_keeper(events, sockets[1], processes_fd);
		_exit(0);
	}
	close(sockets[1]);
	if (gate->keeper < 0)
		return -errno;
	/* only now that somebody answers; our own copy is closed on return, so the keeper's end lets all pass */
	r = mark_file_systems(events);
	if (r < 0)
		return r;
	*ret_gate = take_ptr(gate);
	return 0;
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	closep(&gate->file);
	closep(&gate->socket);
	if (gate->keeper > 0)
		waitpid(gate->keeper, NULL, 0); /* it ends when its socket does */
	free(gate);
}

int gate_fd(const struct gate *gate)
{
	return gate->socket;
}

int gate_next(struct gate *gate, pid_t *ret_pid, const char **ret_path)
{
	struct iovec data = { .iov_base = ret_pid, .iov_len = sizeof(*ret_pid) };
	char link[64];
	ssize_t n;
	int file;

	n = pass_receive(gate->socket, &data, 1, MSG_DONTWAIT, &file);
	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : -EPIPE;
	if (n != sizeof(*ret_pid) || file < 0)
		return -EPIPE;
	closep(&gate->file);
	gate->file = file;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", gate->file);
	n = readlink(link, gate->path, sizeof(gate->path) - 1);
	gate->path[n > 0 ? n : 0] = '\0';
	*ret_path = gate->path;
	return 1;
}

int gate_file(const struct gate *gate)
{
	return gate->file;
}

void gate_pass(struct gate *gate)
{
	ssize_t n = send(gate->socket, "", 1, MSG_NOSIGNAL);

	(void)n; /* a gate that is gone holds nobody */
	closep(&gate->file);
	gate->file = -1;
}
