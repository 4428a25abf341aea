// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * follows - does what its standard input says, a word a line, so that a test can attach to it in between
 *
 * Prints "ready" first, and after each line that it has done "done":
 * tick      tick(): 10 calls
 * thread    tick(): 10 calls, in a new thread
 * fork      tick(): 10 calls, in a child process
 * load      plugged() of libplugin.so, which is loaded for it beside the program: 10 calls
 * block     goes into blocks(), prints "inside", and leaves it at the next line
 * The end of the input ends it, with status 0.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

CALLED static void tick(void)
{
	NO_TAIL_CALL();
}

static void *tick_often(void *arg)
{
	for (int i = 0; i < 10; i++)
		tick();
	return arg;
}

static int in_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, tick_often, NULL) || pthread_join(thread, NULL);
}

static int in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		tick_often(NULL);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid;
}

static int in_plugin(const char *folder)
{
	char path[4096];
	void *library;
	int (*plugged)(int);

	snprintf(path, sizeof(path), "%s/libplugin.so", folder);
	library = dlopen(path, RTLD_NOW);
	plugged = library ? (int (*)(int))dlsym(library, "plugged") : NULL;
	for (int i = 0; plugged && i < 10; i++)
		plugged(i);
	return !plugged;
}

CALLED static int blocks(char *line, int size)
{
	puts("inside");
	return fgets(line, size, stdin) ? 0 : 1;
}

int main(int argc, char **argv)
{
	char line[64];
	char *slash = strrchr(argv[0], '/');

	(void)argc;
	if (slash)
		*slash = '\0';
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if ((!strcmp(line, "tick") && !tick_often(line)) || (!strcmp(line, "thread") && in_thread()) ||
		    (!strcmp(line, "fork") && in_child()) || (!strcmp(line, "load") && in_plugin(slash ? argv[0] : ".")) ||
		    (!strcmp(line, "block") && blocks(line, sizeof(line))))
			return 1;
		puts("done");
	}
	return 0;
}
