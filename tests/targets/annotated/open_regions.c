/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* N regions (300) that nobody ends, each in a round; then a region that is ended, with a call inside. */
#include <perfflow/aspect.h>
#include <stdlib.h>

__attribute__((noinline)) static void called(void)
{
	__asm__ volatile("" : : : "memory");
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 300;

	for (volatile int i = 0; i < n; i++)
		PERFFLOW_BEGIN("open", "forgotten");
	PERFFLOW_BEGIN("closed", "last");
	called();
	PERFFLOW_END();
	return 0;
}
