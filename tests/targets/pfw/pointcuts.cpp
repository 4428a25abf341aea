/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A function for each pointcut, each called twice; and for each flow, called once. */
#include <unistd.h>

#define POINTCUT(text) __attribute__((annotate("@critical_path(pointcut=" text ")"), noinline))

POINTCUT("'before'") void before()
{
	usleep(200);
}

POINTCUT("'after'") void after()
{
	usleep(200);
}

POINTCUT("'around'") void around()
{
	usleep(200);
}

POINTCUT("'before_async', scope='request'") void begins()
{
	usleep(200);
}

POINTCUT("'after_async', scope='request'") void ends()
{
	usleep(200);
}

POINTCUT("'around_async', scope='io'") void transfer()
{
	usleep(200);
}

POINTCUT("'around_async'") void without_scope()
{
	usleep(200);
}

POINTCUT("'around', flow='out'") void producer()
{
	usleep(200);
}

POINTCUT("'around', flow='inout'") void relay()
{
	usleep(200);
}

POINTCUT("'around', flow='in'") void consumer()
{
	usleep(200);
}

POINTCUT("'around', flow='outin'") void asks()
{
	usleep(200);
}

POINTCUT("'before', flow='out'") void sends()
{
	usleep(200);
}

POINTCUT("'after', flow='in'") void receives()
{
	usleep(200);
}

int main()
{
	for (int i = 0; i < 2; i++) {
		before();
		after();
		around();
		begins();
		transfer();
		without_scope();
		ends();
	}
	producer();
	relay();
	consumer();
	asks();
	sends();
	receives();
	return 0;
}
