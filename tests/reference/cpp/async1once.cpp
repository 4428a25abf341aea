/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <unistd.h>
#define A(s) __attribute__((annotate(s), noinline))
A("@critical_path(pointcut='around_async')") void req()
{
	usleep(500);
}
int main()
{
	req();
}
