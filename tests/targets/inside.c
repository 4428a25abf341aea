// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * inside HOW... - calls of leaf() inside and outside of enter(), counted by itself
 *
 * recursion  enter() in itself
 * jump       left by longjmp() from the depths, then leaf() in main()
 * deep       the same, then leaf() below a frame larger than all that was left
 * thread     a thread started inside, which is not inside until it calls enter() itself
 * fork       a child born inside, which is until it returns
 * spawn      another program started inside, which is not
 * exec       another program executed inside, which is not
 * signal     a handler that runs inside, and one that runs outside
 *
 * Each ten times but exec, which is once and the last. Prints "inside N outside M": calls of
 * leaf(), those of children included. leaf() calls getenv() once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

#define ROUNDS 10

extern char **environ;
struct truth {
	atomic_long inside, outside;
};

static struct truth *truth; /* shared with children that are forked */
static __thread long depth;
static jmp_buf back;
static const char *variable = "INSIDE";

CALLED static void leaf(void)
{
	atomic_fetch_add(depth ? &truth->inside : &truth->outside, 1);
	getenv(variable);
	NO_TAIL_CALL();
}

CALLED static void enter(long n, void (*innermost)(void))
{
	depth++;
	leaf();
	if (n > 1)
		enter(n - 1, innermost);
	else if (innermost)
		innermost();
	leaf();
	depth--;
	NO_TAIL_CALL();
}

static void recursion(void)
{
	leaf();
	enter(5, NULL);
	leaf();
	enter(1, NULL);
	leaf();
}

static void jump_back(void)
{
	longjmp(back, 1);
}

static void jump(void)
{
	if (!setjmp(back))
		enter(4, jump_back);
	depth = 0;
	leaf();
	leaf();
	enter(2, NULL);
	leaf();
}

CALLED static void leaf_below(void)
{
	char large[65536];

	__asm__ volatile("" ::"r"(large) : "memory");
	leaf();
	__asm__ volatile("" ::"r"(large) : "memory");
}

static void deep(void)
{
	if (!setjmp(back))
		enter(4, jump_back);
	depth = 0;
	leaf_below();
	leaf();
}

static void *thread_main(void *arg)
{
	leaf();
	enter(2, NULL);
	leaf();
	return arg;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, NULL) || pthread_join(thread, NULL))
		_exit(1);
}

static void thread(void)
{
	enter(2, start_thread);
	leaf();
}

static pid_t child;

static void fork_here(void)
{
	child = fork();
	if (child < 0)
		_exit(1);
	leaf();
}

static void fork_inside(void)
{
	enter(3, fork_here);
	leaf();
	if (!child)
		_exit(0);
	if (waitpid(child, NULL, 0) != child)
		_exit(1);
}

static void spawn_here(void)
{
	char *argv[] = {"inside", "leaves", NULL};
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		_exit(1);
	atomic_fetch_add(&truth->outside, WEXITSTATUS(status));
}

static void spawn(void)
{
	enter(2, spawn_here);
	leaf();
}

static void exec_here(void)
{
	char inside[32], outside[32];

	snprintf(inside, sizeof(inside), "%ld", truth->inside);
	snprintf(outside, sizeof(outside), "%ld", truth->outside);
	execl("/proc/self/exe", "inside", "leaves", inside, outside, NULL);
	_exit(1);
}

static void on_signal(int signal)
{
	(void)signal;
	leaf();
}

static void raise_here(void)
{
	raise(SIGUSR1);
}

static void by_signal(void)
{
	raise(SIGUSR1);
	enter(2, raise_here);
	raise(SIGUSR1);
}

/* The other program: 5 calls, and with what was counted before it prints the sum. */
static int leaves(int argc, char **argv)
{
	for (int i = 0; i < 5; i++)
		leaf();
	if (argc <= 3)
		return truth->outside;
	printf("inside %ld outside %ld\n", atol(argv[2]), atol(argv[3]) + truth->outside);
	return 0;
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {{"recursion", recursion}, {"jump", jump},	{"deep", deep},	      {"thread", thread},
	    {"fork", fork_inside},    {"spawn", spawn}, {"signal", by_signal}};

int main(int argc, char **argv)
{
	truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (truth == MAP_FAILED || signal(SIGUSR1, on_signal) == SIG_ERR)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "leaves"))
		return leaves(argc, argv);
	for (int k = 1; k < argc; k++) {
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			for (int round = 0; !strcmp(argv[k], ways[i].name) && round < ROUNDS;
			     round++)
				ways[i].run();
		}
		if (!strcmp(argv[k], "exec"))
			enter(2, exec_here);
	}
	printf("inside %ld outside %ld\n", truth->inside, truth->outside);
	return 0;
}
