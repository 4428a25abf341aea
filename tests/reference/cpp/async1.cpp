/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* every async pointcut once (a second after_async call dead-locks in the C runtime) */
#include <unistd.h>
#define A(s) __attribute__((annotate(s), noinline))
A("@critical_path(pointcut='before_async', scope='req')") void begin_req()
{
	usleep(500);
}
A("@critical_path(pointcut='after_async', scope='req')") void end_req()
{
	usleep(500);
}
int main()
{
	begin_req();
	begin_req();
	end_req();
}
