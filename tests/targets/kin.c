// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * kin - does what its standard input says, and so do its children, so that a test can look at each while it waits
 *
 * Prints "ready PID" first, and after each line that it has done "done PID":
 * tick          tick(): 10 calls
 * fork          a child does what follows, up to "end"; it prints "ready PID" as well
 * run PATH      the same in a child that has executed the program, which is another kin
 * exec PATH     this process executes the program
 * exec-thread PATH   the same from another thread than its first
 * hide          has nobody but root look into it
 * rename NAME   has another name
 * address N     hand_on(): a call with the number
 * namespace     has a user namespace of its own from here on
 * user UID      is another user of that
 * end           ends it, with status 0, as the end of the input does
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

CALLED static void tick(void)
{
	NO_TAIL_CALL();
}

CALLED static void hand_on(unsigned long address)
{
	NO_TAIL_CALL();
	(void)address;
}

static int hand_on_text(const char *number)
{
	hand_on(strtoul(number, NULL, 0));
	return 0;
}

static int tick_often(void)
{
	for (int i = 0; i < 10; i++)
		tick();
	return 0;
}

static int become(const char *path)
{
	return execl(path, path, (char *)NULL);
}

static void *become_in_thread(void *path)
{
	become(path);
	return NULL;
}

static int become_by_thread(char *path)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, become_in_thread, path) || pthread_join(thread, NULL) || 1;
}

static void say(const char *word)
{
	printf("%s %d\n", word, (int)getpid());
}

static int in_child(const char *path)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (path)
			_exit(become(path) != 0);
		say("ready");
		return 0;
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static int obey(const char *word, char *path)
{
	if (!strcmp(word, "tick"))
		return tick_often();
	if (!strcmp(word, "fork"))
		return in_child(NULL);
	if (!strcmp(word, "address"))
		return hand_on_text(path);
	if (!strcmp(word, "run"))
		return in_child(path);
	if (!strcmp(word, "exec"))
		return become(path);
	if (!strcmp(word, "exec-thread"))
		return become_by_thread(path);
	if (!strcmp(word, "rename"))
		return prctl(PR_SET_NAME, path);
	if (!strcmp(word, "namespace"))
		return unshare(CLONE_NEWUSER);
	if (!strcmp(word, "user"))
		return setresuid(atoi(path), atoi(path), atoi(path));
	return strcmp(word, "hide") || prctl(PR_SET_DUMPABLE, 0);
}

/* Byte by byte: who takes over finds the next line untouched. */
static int next_line(char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && read(STDIN_FILENO, &line[n], 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return n > 0;
}

int main(void)
{
	char line[4096], *path;

	setvbuf(stdout, NULL, _IOLBF, 0);
	say("ready");
	while (next_line(line, sizeof(line)) && strcmp(line, "end") != 0) {
		path = strchr(line, ' ');
		if (path)
			*path++ = '\0';
		if (obey(line, path))
			return 1;
		say("done");
	}
	return 0;
}
