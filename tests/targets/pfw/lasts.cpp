/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A call that lasts for M ms (2500), with N short ones (100) inside of it, spread over that time: lasts [N [M]]. */
#include <cstdlib>
#include <unistd.h>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

CRITICAL_PATH void step()
{
	usleep(100);
}

CRITICAL_PATH void run(int n, int ms)
{
	for (int i = 0; i < n; i++) {
		step();
		usleep(1000 * ms / n);
	}
}

int main(int argc, char **argv)
{
	run(argc > 1 ? std::atoi(argv[1]) : 100, argc > 2 ? std::atoi(argv[2]) : 2500);
	return 0;
}
