// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * lengths [N] - N calls (300) of takes() that take from 0.2 ms to 3 ms, half of them on the CPU and
 * half asleep
 *
 * Of each call a line: when it began (nanoseconds of the boot clock), how long its body took, and
 * how long it took as its caller saw it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

CALLED static int64_t takes(long us, int sleeps)
{
	int64_t begin_ns = now_ns();

	if (sleeps)
		usleep(us);
	while (now_ns() - begin_ns < us * 1000)
		;
	return now_ns() - begin_ns;
}

int main(int argc, char **argv)
{
	static const long lengths_us[] = {200, 500, 800, 1200, 2000, 3000};
	long n = argc > 1 ? atol(argv[1]) : 300;

	for (long i = 0; i < n; i++) {
		int64_t begin_ns = now_ns(), inner_ns = takes(lengths_us[i % 6], i / 6 % 2);

		printf("%lld %lld %lld\n", (long long)begin_ns, (long long)inner_ns,
		       (long long)(now_ns() - begin_ns));
	}
	return 0;
}
