// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * exec [thread] - executes itself from inside of two functions
 *
 * outer() > inner(), 1 call each, ended by exec. With "thread" they run in a second thread, which takes over the
 * process, while the first is inside of waits() (1 call). In the program after that: second_life(), 3 calls.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

static int ready[2];

CALLED static void second_life(void)
{
	NO_TAIL_CALL();
}

CALLED static void inner(void)
{
	execl("/proc/self/exe", "exec", "again", NULL);
	_exit(1);
}

CALLED static void outer(void)
{
	inner();
	NO_TAIL_CALL();
}

static void *thread_main(void *arg)
{
	char c;

	if (read(ready[0], &c, 1) != 1)
		_exit(1);
	usleep(20000); /* waits() is inside of pause() by then */
	outer();
	return arg;
}

CALLED static void waits(void)
{
	pthread_t thread;

	if (pipe(ready) || pthread_create(&thread, NULL, thread_main, NULL) || write(ready[1], "x", 1) != 1)
		_exit(1);
	pause();
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "again")) {
		for (int i = 0; i < 3; i++)
			second_life();
		return 6;
	}
	if (argc > 1 && !strcmp(argv[1], "thread"))
		waits();
	else
		outer();
	return 1;
}
