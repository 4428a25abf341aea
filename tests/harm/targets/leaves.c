// SPDX-License-Identifier: LGPL-3.0-or-later
/* leaves - functions that keep values beneath the stack pointer, where a probe's system call must not write */
#include "harm.h"

/* 15 values in the red zone, and no call. */
CALLED static unsigned long mixes(unsigned long seed)
{
	volatile unsigned long kept[15];
	unsigned long sum = 0;

	for (int i = 0; i < 15; i++)
		kept[i] = seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	for (int i = 0; i < 15; i++)
		sum = sum * 31 + kept[i];
	return sum;
}

CALLED static double fractions(double a, double b, int n)
{
	volatile double kept[8];

	for (int i = 0; i < 8; i++)
		kept[i] = a + b * i;
	return n ? kept[n % 8] / kept[3] : kept[0];
}

int main(void)
{
	unsigned long sum = 0;
	double total = 0;

	for (unsigned long i = 0; i < 3000; i++) {
		sum += mixes(i) ^ sum;
		total += fractions(1.5, (double)i, (int)i);
	}
	say("sum %lx total %.12g", sum, total);
	return 0;
}
