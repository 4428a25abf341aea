// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * signals - handlers that come inside traced functions: raised, nested, from a timer, and left by siglongjmp
 *
 * The timer's come at any instruction, so also at those that a probe steps over; the work's result must not change.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "harm.h"

static volatile sig_atomic_t nested, ticks;
static sigjmp_buf out;

CALLED static int step(int value)
{
	return value * 1103515245 + 12345;
}

CALLED static int work(int n)
{
	int value = 1;

	for (int i = 0; i < n; i++)
		value = step(value & 0xffff);
	return value;
}

CALLED static void on_nested(int number)
{
	nested++;
	say("handler of %d, %d deep: %d", number, (int)nested, work(3));
	if (nested < 5)
		raise(number);
	nested--;
}

CALLED static void on_tick(int number)
{
	(void)number;
	ticks += work(2) == 12345 ? 0 : 1;
}

CALLED static void on_leave(int number)
{
	say("leaving the handler of %d: %d", number, work(4));
	siglongjmp(out, 1);
}

CALLED static void raises(int number)
{
	raise(number);
	say("after %d: %d", number, work(5));
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &action, NULL);
}

int main(void)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	volatile int wrong = 0, right = work(1000);

	handle(SIGUSR1, on_nested, SA_NODEFER);
	handle(SIGUSR2, on_leave, 0);
	handle(SIGALRM, on_tick, SA_RESTART);
	for (volatile int i = 0; i < 5; i++) {
		raises(SIGUSR1);
		if (!sigsetjmp(out, 1))
			raises(SIGUSR2);
		say("round %d", i);
	}
	setitimer(ITIMER_REAL, &often, NULL);
	while (ticks < 100)
		wrong = wrong + (work(1000) != right);
	setitimer(ITIMER_REAL, &never, NULL);
	say("wrong %d", wrong);
	return 0;
}
