// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * process_exit HOW - a process that ends inside of two functions: outer() > inner(), 1 call each, left by HOW:
 *
 * exit     exit(3), which calls at_end(): 1 call, inside of inner(), it returns
 * _exit    _exit(4)
 * abort    SIGABRT
 * kill     SIGKILL
 * segv     SIGSEGV
 * thread   a second thread, inside of waits() (1 call), while the first calls exit(5)
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

static int ready[2];

CALLED static void at_end(void)
{
	NO_TAIL_CALL();
}

CALLED static void *waits(void *arg)
{
	if (write(ready[1], "x", 1) == 1)
		pause();
	return arg;
}

CALLED static void start_thread(void)
{
	pthread_t thread;
	char c;

	if (pipe(ready) || pthread_create(&thread, NULL, waits, NULL) || read(ready[0], &c, 1) != 1)
		_exit(1);
}

CALLED static void inner(const char *how)
{
	if (!strcmp(how, "exit"))
		exit(3);
	if (!strcmp(how, "_exit"))
		_exit(4);
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	if (!strcmp(how, "segv"))
		kill(getpid(), SIGSEGV);
	if (!strcmp(how, "thread"))
		exit(5);
}

CALLED static void outer(const char *how)
{
	inner(how);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "exit";

	if (!strcmp(how, "exit") && atexit(at_end))
		return 1;
	if (!strcmp(how, "thread"))
		start_thread();
	outer(how);
	return 0;
}
