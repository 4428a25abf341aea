/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Executed and not forked alone: the daemon has threads, and the inspector is to have nothing of its memory. It gets no
 * environment, no signal mask and no descriptor but its socket.
 */
#include "inspect/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/inspection.h"
#include "util/cleanup.h"

#define END_TRIES   200
#define END_WAIT_US 5000

static int add_actions(posix_spawn_file_actions_t *actions, int socket)
{
	int r = 0;

	for (int fd = 0; fd < 3 && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	return -(r ?: posix_spawn_file_actions_adddup2(actions, socket, INSPECTION_FD));
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attributes, &none);
	r = r ?: posix_spawnattr_setsigdefault(attributes, &all);
	return -(r ?: posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

static int spawn(const char *program, int socket, pid_t *ret_pid)
{
	static char argument[] = INSPECTION_ARGUMENT;
	char *arguments[] = { (char *)program, argument, NULL }, *environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = add_actions(&actions, socket);
	r = r ?: set_attributes(&attributes);
	r = r ?: -posix_spawn(ret_pid, program, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

int inspector_process_start(const char *program, struct inspector_process *ret_process)
{
	_cleanup_close_ int ours = -1, its = -1;
	int sockets[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	ours = sockets[0];
	its = sockets[1];
	r = spawn(program, its, &ret_process->pid);
	if (r < 0)
		return r;
	ret_process->fd = take_fd(ours);
	return 0;
}

bool inspector_process_is_idle(const struct inspector_process *process)
{
	char byte;

	return recv(process->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void describe(int status, char *how, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(how, size, "crashed (%s)", strsignal(WTERMSIG(status)));
	else
		snprintf(how, size, "ended (exit status %d)", WEXITSTATUS(status));
}

/* One that hangs in a file system ends when that lets it; we do not wait for it. */
void inspector_process_end(struct inspector_process *process, char *ret_how, size_t size)
{
	pid_t ended = 0;
	int status = 0;

	snprintf(ret_how, size, "hangs in the kernel");
	closep(&process->fd);
	/* one whose socket is closed may be about to tell by what it ended */
	for (int i = 0; process->pid && i < END_TRIES && ended == 0; i++) {
		ended = waitpid(process->pid, &status, WNOHANG);
		if (ended != 0)
			break;
		if (i)
			kill(process->pid, SIGKILL);
		usleep(END_WAIT_US);
	}
	if (ended > 0)
		describe(status, ret_how, size);
	*process = (struct inspector_process){ .fd = -1 };
}
