// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * late - calls what is there since just now, and tells when it called
 *
 * For each line of its standard input it calls for half a second, about every tenth of a millisecond. Then it prints for each
 * call "call PID BEFORE AFTER", nanoseconds of the boot clock between which it was, and at last "done".
 * load PATH     plugged() of that library, which is loaded for it
 * fork          called() in a child
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define MAX_CALLS 8192
#define CALLING_NS 500000000

static struct {
	int64_t before, after;
} calls[MAX_CALLS];

CALLED static int called(int value)
{
	NO_TAIL_CALL();
	return value;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void call_often(int (*function)(int))
{
	int n = 0;

	do {
		calls[n].before = now_ns();
		function(n);
		calls[n++].after = now_ns();
		usleep(50);
	} while (n < MAX_CALLS && calls[n - 1].after < calls[0].before + CALLING_NS);
	for (int i = 0; i < n; i++)
		printf("call %d %lld %lld\n", (int)getpid(), (long long)calls[i].before, (long long)calls[i].after);
	fflush(stdout);
}

static int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*plugged)(int) = library ? (int (*)(int))dlsym(library, "plugged") : NULL;

	if (plugged)
		call_often(plugged);
	return !plugged;
}

static int call_in_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		call_often(called);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

int main(void)
{
	char line[4096];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "fork") == 0 ? call_in_child() : strncmp(line, "load ", 5) || load(line + 5))
			return 1;
		puts("done");
		fflush(stdout);
	}
	return 0;
}
