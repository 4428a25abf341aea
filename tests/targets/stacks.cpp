// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * stacks call|fork|grandchild|exec|plugin|code|unlink|wait [FILE] - one chain of calls, from different kinds of memory
 *
 * The chain: main -> chain::outer -> apply (libstacks.so) -> chain::inner -> alloc (libstacks.so), with LATE in the
 * names of the second program: the same addresses, other names.
 *
 * call: once, and it is gone. fork: in a child that executes nothing and is gone, while the parent stays for a while.
 * grandchild: in a child of a child, and all three are gone. exec: then it becomes FILE at once. plugin: with the apply()
 * of FILE, a library that is loaded then. code: with a copy of apply() in memory that belongs to no file. unlink: FILE,
 * which is itself, is removed before, and it stays for a while. wait: at a line of input, and then it aborts.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

extern "C" int alloc(int n);
extern "C" int apply(int (*function)(int), int n);
typedef int (*apply_function)(int (*function)(int), int n);

namespace chain
{
CALLED int INNER(int n)
{
	int r = alloc(n);

	NO_TAIL_CALL();
	return r;
}

CALLED int OUTER(apply_function through)
{
	int r = through(INNER, 7);

	NO_TAIL_CALL();
	return r;
}
} // namespace chain

/* In a child of so many generations. */
static int in_child(int generations)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(generations > 1 ? in_child(generations - 1) : chain::OUTER(apply));
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static apply_function load(const char *file)
{
	void *library = dlopen(file, RTLD_NOW);

	return library ? (apply_function)dlsym(library, "apply") : nullptr;
}

/* The instructions of apply() mind nothing but their order. */
static apply_function copy()
{
	void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return nullptr;
	memcpy(memory, (const void *)apply, 64);
	mprotect(memory, 4096, PROT_READ | PROT_EXEC);
	return (apply_function)memory;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "call", *file = argc > 2 ? argv[2] : nullptr;
	apply_function through = apply;
	int r;

	if (!strcmp(how, "fork")) {
		r = in_child(1);
		usleep(300000);
		return r != 7;
	}
	if (!strcmp(how, "grandchild"))
		return in_child(2) != 7;
	if (!strcmp(how, "plugin"))
		through = load(file);
	if (!strcmp(how, "code"))
		through = copy();
	if (!strcmp(how, "unlink") && unlink(file) < 0)
		return 2;
	if (!strcmp(how, "wait") && (puts("ready"), fflush(stdout), getchar()) == EOF)
		return 2;
	if (!through)
		return 2;
	r = chain::OUTER(through);
	if (!strcmp(how, "exec"))
		execl(file, file, "call", nullptr);
	if (!strcmp(how, "wait"))
		abort();
	if (!strcmp(how, "unlink"))
		usleep(300000);
	return r != 7;
}
