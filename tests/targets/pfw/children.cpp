/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A process and its child, which is a copy of it: each calls an annotated function of its own; N children (1). With a
 * third word each child then executes that program. */
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

CRITICAL_PATH void before_fork()
{
	usleep(200);
}

CRITICAL_PATH void in_child()
{
	usleep(2000);
}

CRITICAL_PATH void in_parent()
{
	usleep(200);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? std::atoi(argv[1]) : 1;

	before_fork();
	for (int i = 0; i < n; i++) {
		if (fork() == 0) {
			in_child();
			if (argc > 2)
				execl(argv[2], argv[2], "1", static_cast<char *>(nullptr));
			_exit(0);
		}
	}
	in_parent();
	while (wait(nullptr) > 0)
		;
	return 0;
}
