/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* one function per pointcut kind; each called twice */
#include <unistd.h>
#define A(s) __attribute__((annotate(s), noinline))
A("@critical_path(pointcut='before')") void p_before()
{
	usleep(500);
}
A("@critical_path(pointcut='after')") void p_after()
{
	usleep(500);
}
A("@critical_path(pointcut='around')") void p_around()
{
	usleep(500);
}
int main()
{
	for (int i = 0; i < 2; i++) {
		p_before();
		p_after();
		p_around();
	}
}
