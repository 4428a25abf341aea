/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ways out of an annotated function that are no return: exceptions, longjmp, pthread_exit. With an
 * argument: functions that are annotated for their ends alone, are called twice and return once. */
#include <csetjmp>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

static jmp_buf target;

CRITICAL_PATH void throws()
{
	usleep(100);
	throw std::runtime_error("x");
}

CRITICAL_PATH void passes()
{
	throws();
}

CRITICAL_PATH void cleans_up()
{
	std::string text(100, 'a');

	throws();
}

CRITICAL_PATH void catches()
{
	try {
		throws();
	} catch (const std::runtime_error &) {
	}
}

__attribute__((annotate("@critical_path(pointcut='after')"), noinline)) void after(bool leaves)
{
	std::string text(100, 'a');

	if (leaves)
		throws();
}

__attribute__((annotate("@critical_path(pointcut='after_async')"), noinline)) void
after_async(bool leaves)
{
	if (leaves)
		throws();
}

CRITICAL_PATH void jumps()
{
	std::longjmp(target, 1);
}

CRITICAL_PATH void is_jumped_out_of()
{
	jumps();
}

static __attribute__((noinline)) void exits()
{
	pthread_exit(nullptr);
}

CRITICAL_PATH void *thread(void *unused)
{
	exits();
	return unused;
}

static void catch_from(void (*function)())
{
	try {
		function();
	} catch (const std::runtime_error &) {
	}
}

static int call_what_has_only_an_end()
{
	catch_from([] { after(true); });
	after(false);
	catch_from([] { after_async(true); });
	after_async(false);
	return 0;
}

int main(int argc, char **)
{
	pthread_t other;

	if (argc > 1)
		return call_what_has_only_an_end();
	catch_from(passes);
	catch_from(cleans_up);
	catches();
	if (!setjmp(target))
		is_jumped_out_of();
	if (pthread_create(&other, nullptr, thread, nullptr) != 0)
		return 1;
	pthread_join(other, nullptr);
	return 0;
}
