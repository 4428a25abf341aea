/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * N annotated calls inside of another one, and then an end: return, exit, _exit, quick_exit, abort, kill, term, segv, throw,
 * exec (this program again, with `return`).
 */
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <unistd.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

CRITICAL_PATH void call()
{
	__asm__ volatile("" : : : "memory");
}

static char *self;

static void end(const char *how, const char *n)
{
	if (!std::strcmp(how, "exit"))
		std::exit(0);
	if (!std::strcmp(how, "_exit"))
		_exit(0);
	if (!std::strcmp(how, "quick_exit"))
		std::quick_exit(0);
	if (!std::strcmp(how, "abort"))
		std::abort();
	if (!std::strcmp(how, "kill"))
		raise(SIGKILL);
	if (!std::strcmp(how, "term"))
		raise(SIGTERM);
	if (!std::strcmp(how, "segv"))
		raise(SIGSEGV);
	if (!std::strcmp(how, "throw"))
		throw std::runtime_error("nobody catches it");
	if (!std::strcmp(how, "exec"))
		execl(self, self, n, "return", static_cast<char *>(nullptr));
}

CRITICAL_PATH void run(int n, const char *how, const char *n_text)
{
	for (int i = 0; i < n; i++)
		call();
	end(how, n_text);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 2)
		run(std::atoi(argv[1]), argv[2], argv[1]);
	return 0;
}
