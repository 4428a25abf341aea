/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An annotated function is interrupted by a signal whose handler calls another one, N times (200). */
#include <csignal>
#include <cstdlib>
#include <sys/time.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

static volatile sig_atomic_t n_signals;

CRITICAL_PATH void handles()
{
	n_signals = n_signals + 1;
}

CRITICAL_PATH void works()
{
	for (int i = 0; i < 100; i++)
		__asm__ volatile("" : : : "memory");
}

static void on_signal(int)
{
	handles();
}

int main(int argc, char **argv)
{
	const int n = argc > 1 ? std::atoi(argv[1]) : 200;
	const struct itimerval every = {{0, 500}, {0, 500}};

	std::signal(SIGALRM, on_signal);
	setitimer(ITIMER_REAL, &every, nullptr);
	while (n_signals < n)
		works();
	return 0;
}
