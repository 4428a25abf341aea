// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * forks - fork inside of two functions that return in both processes
 *
 * outer() > inner(): 2 calls each, in the parent; in each of the 2 children they return as well, without having been
 * called there. in_child(): 3 calls in each child. in_parent(): 2 calls.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

CALLED static void in_child(void)
{
	NO_TAIL_CALL();
}

CALLED static void in_parent(void)
{
	NO_TAIL_CALL();
}

CALLED static pid_t inner(void)
{
	return fork();
}

CALLED static pid_t outer(void)
{
	pid_t pid = inner();

	NO_TAIL_CALL();
	return pid;
}

int main(void)
{
	int status;

	for (int i = 0; i < 2; i++) {
		pid_t pid = outer();

		if (pid < 0)
			return 1;
		if (!pid) {
			for (int k = 0; k < 3; k++)
				in_child();
			_exit(7);
		}
		if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
			return 1;
		in_parent();
	}
	return 0;
}
