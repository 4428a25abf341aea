// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * calls WORD... - does what its arguments say, one after another; built as calls_a and calls_b
 *
 * N              N times library_call() of libcalls.so, and N times own(), with one library_call()
 * inside uid=N          setuid(N) name=TEXT      prctl(PR_SET_NAME) thread=TEXT    a thread that
 * the main thread gives this name (pthread_setname_np), and that calls own() once, before and after
 * quiet=TEXT     a thread of this name that calls nothing that is traced, and rests for 20 ms
 * leader         the main thread ends; a second one does what follows
 * rest=MS        sleeps
 * fork           what follows is done by a child, whose exit status (128+N after signal N) becomes
 * that of the parent exec PROGRAM ARGUMENT... exit=N, kill=N ends so
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

void library_call(void);

static int pipes[2];

CALLED static void own(void)
{
	library_call();
	NO_TAIL_CALL();
}

static void *call_twice(void *arg)
{
	char c;

	own();
	if (read(pipes[0], &c, 1) != 1)
		_exit(1);
	own();
	return arg;
}

static void named_thread(const char *name)
{
	pthread_t thread;

	if (pipe(pipes) || pthread_create(&thread, NULL, call_twice, NULL))
		_exit(1);
	usleep(5000);
	if (pthread_setname_np(thread, name) || write(pipes[1], "x", 1) != 1 ||
	    pthread_join(thread, NULL))
		_exit(1);
}

static void *rest(void *name)
{
	pthread_setname_np(pthread_self(), name);
	usleep(20000);
	return NULL;
}

static void quiet_thread(char *name)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, rest, name) || pthread_join(thread, NULL))
		_exit(1);
}

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void call(long n)
{
	for (long i = 0; i < n; i++) {
		library_call();
		own();
	}
}

static void run(char **words);

static void *run_thread(void *words)
{
	run(words);
	exit(0);
}

static void leave_to_another(char **words)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_thread, words))
		_exit(1);
	pthread_exit(NULL);
}

static void run(char **words)
{
	for (; *words; words++) {
		char *word = *words, *value = strchr(word, '=') ? strchr(word, '=') + 1 : word;
		pid_t pid;

		if (*word >= '0' && *word <= '9') {
			call(atol(word));
		} else if (!strncmp(word, "uid=", 4)) {
			if (setuid(atoi(value)))
				_exit(1);
		} else if (!strncmp(word, "name=", 5)) {
			prctl(PR_SET_NAME, value);
		} else if (!strncmp(word, "thread=", 7)) {
			named_thread(value);
		} else if (!strncmp(word, "quiet=", 6)) {
			quiet_thread(value);
		} else if (!strcmp(word, "leader")) {
			leave_to_another(words + 1);
		} else if (!strncmp(word, "rest=", 5)) {
			usleep(atol(value) * 1000);
		} else if (!strcmp(word, "fork")) {
			pid = fork();
			if (pid)
				exit(status_of(pid));
		} else if (!strcmp(word, "exec")) {
			execv(words[1], words + 1);
			_exit(1);
		} else if (!strncmp(word, "exit=", 5)) {
			exit(atoi(value));
		} else if (!strncmp(word, "kill=", 5)) {
			raise(atoi(value));
		} else {
			_exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	run(argv + 1);
	return 0;
}
