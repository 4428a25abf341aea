// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * spawns - vfork and posix_spawn: children that borrow the parent's memory until they execute
 *
 * by_spawn() and by_vfork(): 2 calls each, in the parent, both return. in_child(): 3 calls in each of the 4 children.
 */
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

extern char **environ;
static char *child_argv[] = { "spawns", "child", NULL };

CALLED static void in_child(void)
{
	NO_TAIL_CALL();
}

CALLED static int by_spawn(void)
{
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child_argv, environ) || waitpid(pid, &status, 0) != pid)
		return -1;
	return WEXITSTATUS(status);
}

CALLED static int by_vfork(void)
{
	int status;
	pid_t pid = vfork();

	if (!pid) {
		execv("/proc/self/exe", child_argv);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "child")) {
		for (int i = 0; i < 3; i++)
			in_child();
		return 8;
	}
	for (int i = 0; i < 2; i++) {
		if (by_spawn() != 8 || by_vfork() != 8)
			return 1;
	}
	return 0;
}
