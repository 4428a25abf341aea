/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Three annotated functions, each called by the one before it, four times. */
#include <cstdio>
#include <unistd.h>

#define CRITICAL_PATH(pointcut) __attribute__((annotate("@critical_path(pointcut='" pointcut "')")))

CRITICAL_PATH("around") int bas()
{
	return std::puts("bas");
}

CRITICAL_PATH("around") int bar()
{
	usleep(1000);
	return bas() + std::puts("bar");
}

__attribute__((annotate("@critical_path()"))) int foo(const char *text)
{
	usleep(1000);
	return bar() + std::puts(text);
}

int main()
{
	int sum = 0;

	for (int i = 0; i < 4; i++)
		sum += foo("foo");
	return sum < 0;
}
