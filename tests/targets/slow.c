// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * slow [SECONDS] - beats every 50 ms for so long (5): a target to watch while it runs, to interrupt and to kill
 *
 * beat(): 20 calls a second, each on a line of its own on standard output. SIGINT ends it with status 42.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "target.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

CALLED static void beat(long i)
{
	printf("%ld\n", i);
	usleep(50000);
}

int main(int argc, char **argv)
{
	long n = 20 * (argc > 1 ? atol(argv[1]) : 5);

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, on_interrupt);
	for (long i = 0; i < n && !interrupted; i++)
		beat(i);
	return interrupted ? 42 : 0;
}
