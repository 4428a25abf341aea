/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <unistd.h>
#define A(s) __attribute__((annotate(s), noinline))
A("@critical_path(pointcut='around', flow='out')") void producer()
{
	usleep(300);
}
A("@critical_path(pointcut='around', flow='in')") void consumer()
{
	usleep(300);
}
A("@critical_path(pointcut='around', flow='inout')") void relay()
{
	usleep(300);
}
A("@critical_path(pointcut='around', flow='outin')") void oi()
{
	usleep(300);
}
A("@critical_path(pointcut='before', flow='out')") void b_out()
{
	usleep(300);
}
A("@critical_path(pointcut='after', flow='in')") void a_in()
{
	usleep(300);
}
int main()
{
	producer();
	relay();
	consumer();
	oi();
	b_out();
	a_in();
}
