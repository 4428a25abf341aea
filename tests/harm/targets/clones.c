// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * clones - children made inside nested functions: fork, vfork, and clone with shared memory and a stack of its own
 *
 * Each calls functions of its own; those with shared memory write into the parent's.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harm.h"

#define STACK_BYTES (64 * 1024)

static volatile int shared;

CALLED static int sum(int n)
{
	int below = n ? sum(n - 1) : 0;

	NO_TAIL_CALL();
	return below + n;
}

CALLED static void in_child(int n)
{
	shared = sum(n);
	say("child: %d", shared);
}

CALLED static int child_main(void *arg)
{
	in_child(*(int *)arg);
	return 5;
}

CALLED static void await(const char *how, pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, __WALL);
	say("%s: status %d, shared %d", how, status, shared);
}

CALLED static void by_fork(int n)
{
	pid_t pid = fork();

	if (!pid) {
		in_child(n);
		_exit(3);
	}
	await("fork", pid);
}

CALLED static void by_vfork(int n)
{
	pid_t pid = vfork();

	if (!pid) {
		in_child(n);
		_exit(4);
	}
	await("vfork", pid);
}

CALLED static void by_clone(int n, int flags)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(child_main, stack + STACK_BYTES, flags | SIGCHLD, &n);

	await(flags & CLONE_VFORK ? "clone, vfork" : flags ? "clone, shared" : "clone", pid);
	munmap(stack, STACK_BYTES);
}

CALLED static void nested(int n, int depth)
{
	if (depth) {
		nested(n, depth - 1);
	} else {
		by_fork(n);
		by_vfork(n);
		by_clone(n, 0);
		by_clone(n, CLONE_VM);
		by_clone(n, CLONE_VM | CLONE_VFORK);
	}
	say("back at %d", depth);
}

int main(void)
{
	for (int i = 1; i < 6; i++)
		nested(10 * i, 3);
	return 0;
}
