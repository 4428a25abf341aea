/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Three annotated functions, each called by the one before it, four times. */
#include <cstdio>
#include <unistd.h>

__attribute__((annotate("@critical_path(pointcut='around')"))) int bas()
{
	return std::puts("bas");
}

__attribute__((annotate("@critical_path(pointcut='around')"))) int bar()
{
	usleep(1000);
	return bas();
}

__attribute__((annotate("@critical_path()"))) int foo()
{
	usleep(1000);
	return bar();
}

int main()
{
	for (int i = 0; i < 4; i++)
		foo();
	return 0;
}
