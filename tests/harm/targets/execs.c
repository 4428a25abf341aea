// SPDX-License-Identifier: LGPL-3.0-or-later
/* execs - a program executes itself five times, inside nested functions, also from a second thread */
#include <pthread.h>
#include <stdlib.h>

#include "harm.h"

static char **arguments;

CALLED static void nested(int depth, int left)
{
	char number[16];

	if (depth) {
		nested(depth - 1, left);
		say("never here");
		return;
	}
	say("%d left", left);
	if (!left)
		exit(9);
	snprintf(number, sizeof(number), "%d", left - 1);
	execl("/proc/self/exe", arguments[0], number, (char *)NULL);
	say("cannot execute");
}

CALLED static void *thread_main(void *left)
{
	nested(3, *(int *)left);
	return NULL;
}

int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 5;
	pthread_t thread;

	arguments = argv;
	if (left % 2) {
		pthread_create(&thread, NULL, thread_main, &left);
		pthread_join(thread, NULL);
	}
	nested(4, left);
	return 0;
}
