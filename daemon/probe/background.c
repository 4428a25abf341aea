/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel takes away what a descriptor stands for when its last copy is closed, and whoever
 * closes that one waits: 0.1 s for each uprobe that is a perf event of its own, one after the
 * other. So the last copies are left to a process that does nothing else. A thread would not do:
 * the daemon could not end before it.
 *
 * The process is nobody's child, so that nobody has to wait for its end either.
 */
#include "probe/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all but these, which are in order: nothing else of the daemon's may stay open here. */
static void close_others(const int *fds, size_t n_fds)
{
	unsigned int first = 0;

	for (size_t i = 0; i < n_fds; i++) {
		if ((unsigned int)fds[i] > first)
			syscall(__NR_close_range, first, fds[i] - 1, 0);
		first = fds[i] + 1;
	}
	syscall(__NR_close_range, first, ~0U, 0);
}

/* After the fork: only what is safe there. */
static void __attribute__((noreturn)) hold(const int *fds, size_t n_fds, int signal_fd)
{
	char nothing;

	close_others(fds, n_fds);
	setsid();
	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_NAME, "perfflow-detach");
	while (read(signal_fd, &nothing, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

int background_hold(const int *fds, size_t n_fds)
{
	int *sorted = malloc((n_fds + 1) * sizeof(*sorted)), pipe_fds[2];
	pid_t child;

	if (!sorted)
		return -ENOMEM;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		free(sorted);
		return -errno;
	}
	for (size_t i = 0; i < n_fds; i++)
		sorted[i] = fds[i];
	sorted[n_fds] = pipe_fds[0];
	qsort(sorted, n_fds + 1, sizeof(*sorted), compare_fds);

	child = fork();
	if (child == 0) {
		if (fork() == 0)
			hold(sorted, n_fds + 1, pipe_fds[0]);
		_exit(0);
	}
	free(sorted);
	close(pipe_fds[0]);
	if (child < 0) {
		close(pipe_fds[1]);
		return -EAGAIN;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return pipe_fds[1];
}
