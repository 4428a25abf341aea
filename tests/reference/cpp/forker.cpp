/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <unistd.h>
#include <sys/wait.h>
#include <cstdlib>
#include <cstring>
#define A __attribute__((annotate("@critical_path()"), noinline))
A void before_fork()
{
	usleep(200);
}
A void in_child()
{
	usleep(200);
}
A void in_parent()
{
	usleep(2000);
}
int main(int, char **v)
{
	before_fork();
	pid_t p = fork();
	if (!p) {
		in_child();
		if (v[1] && !strcmp(v[1], "_exit"))
			_exit(0);
		exit(0);
	}
	in_parent();
	waitpid(p, 0, 0);
}
