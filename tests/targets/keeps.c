// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * keeps N - calls in one another whose arguments tell them apart
 *
 * descend(n, "level n"): N calls in one another, n from N down to 1, each returns 10 * n. jumps(n):
 * 8 calls in one another, n from 8 down to 1; the innermost jumps back to the one of n = 5, which
 * returns 50, as those around it return 10 * n. changes(n, text): 5 calls, which overwrite n and
 * the text "before" before they return n. reads(text): 3 calls, of "", of 300 letters, and of no
 * address. forks(n): 1 call, n = 7, which returns 70 in the parent and 71 in the child.
 *
 * With N = 0 nothing but descend() in each of 4 threads, 20 calls in one another: n from 20, 40, 60
 * and 80 down.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

static jmp_buf back;

CALLED static long descend(long n, const char *text, long until)
{
	char inner[32];

	(void)text;
	snprintf(inner, sizeof(inner), "level %ld", n - 1);
	if (n > until)
		descend(n - 1, inner, until);
	NO_TAIL_CALL();
	return 10 * n;
}

CALLED static long jumps(long n)
{
	if (n == 5 && setjmp(back))
		return 50;
	if (n == 1)
		longjmp(back, 1);
	jumps(n - 1);
	NO_TAIL_CALL();
	return 10 * n;
}

CALLED static long changes(long n, char *text)
{
	long result = n;

	strcpy(text, "after");
	__asm__ volatile("" : "+r"(n), "+r"(text)::"memory", "rdi", "rsi");
	NO_TAIL_CALL();
	return result;
}

CALLED static void reads(const char *text)
{
	__asm__ volatile("" ::"r"(text) : "memory");
}

CALLED static long forks(long n)
{
	pid_t pid = fork();

	if (pid && waitpid(pid, NULL, 0) != pid)
		_exit(1);
	return n * 10 + !pid;
}

static void *descend_in_thread(void *arg)
{
	long first = (long)arg * 20;
	char text[32];

	snprintf(text, sizeof(text), "level %ld", first + 20);
	descend(first + 20, text, first + 1);
	return NULL;
}

static int in_threads(void)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, descend_in_thread, (void *)i))
			return 1;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 10;
	char text[32], letters[301];

	if (!n)
		return in_threads();
	snprintf(text, sizeof(text), "level %ld", n);
	descend(n, text, 1);
	jumps(8);
	for (long i = 1; i <= 5; i++) {
		strcpy(text, "before");
		changes(i, text);
	}
	memset(letters, 'x', 300);
	letters[300] = '\0';
	reads("");
	reads(letters);
	reads((const char *)8);
	if (forks(7) == 71)
		_exit(0);
	return 0;
}
