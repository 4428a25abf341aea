// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * marked - a static probe with a semaphore, which the program looks at as programs do: it passes the probe only where
 * somebody has raised it
 *
 * A line on its standard input, and it prints the semaphore and how often it passed the probe for that line: "1 3". The
 * probe is pf_target:step. Without input it does that once.
 */
#define _SDT_HAS_SEMAPHORES 1
#include <stdio.h>
#include <sys/sdt.h>

#include "target.h"

__extension__ unsigned short pf_target_step_semaphore __attribute__((section(".probes")));

CALLED static int passes(int n)
{
	int passed = 0;

	for (int i = 0; i < n; i++) {
		if (__atomic_load_n(&pf_target_step_semaphore, __ATOMIC_RELAXED)) {
			STAP_PROBE1(pf_target, step, i);
			passed++;
		}
	}
	return passed;
}

int main(void)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	do {
		int passed = passes(3);

		printf("%u %d\n", pf_target_step_semaphore, passed);
	} while (fgets(line, sizeof(line), stdin));
	return 0;
}
