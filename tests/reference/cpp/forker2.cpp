/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <unistd.h>
#include <cstdlib>
#define A __attribute__((annotate("@critical_path()"), noinline))
A void before_fork()
{
	usleep(200);
}
A void in_child()
{
	usleep(20000);
}
A void in_parent()
{
	usleep(2000);
}
int main()
{
	before_fork();
	if (!fork()) {
		in_child();
		exit(0);
	}
	in_parent();
}
