// SPDX-License-Identifier: LGPL-3.0-or-later
/* returns_in_child - the child of a fork returns from the functions that its parent entered, and forks again */
#include <sys/wait.h>

#include "harm.h"

static int is_child;

CALLED static int forks(void)
{
	pid_t pid = fork();

	is_child = !pid;
	if (pid) {
		int status;

		waitpid(pid, &status, 0);
		say("child ended with %d", status);
	}
	return is_child;
}

CALLED static int nested(int depth)
{
	int result = depth ? nested(depth - 1) : forks();

	say("%s back at %d", is_child ? "child" : "parent", depth);
	return result;
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		int child = nested(4);

		if (child) {
			nested(1);
			return 6;
		}
	}
	return 0;
}
