// SPDX-License-Identifier: LGPL-3.0-or-later
/* tails - functions that jump into one another, directly and through pointers, built so that none of them returns by itself */
#include "harm.h"

CALLED static long odd(long n, long sum);
CALLED static long by_pointer(long n, long sum);
static long (*volatile next[])(long, long) = { odd, by_pointer };

CALLED static long even(long n, long sum)
{
	return n ? odd(n - 1, sum + n) : sum;
}

CALLED static long odd(long n, long sum)
{
	return n ? even(n - 1, sum - n) : -sum;
}

CALLED static long by_pointer(long n, long sum)
{
	return n ? next[n % 3 != 0](n - 1, sum * 3 + n) : sum;
}

CALLED static long by_switch(long n, long sum)
{
	switch (n % 8) {
	case 0: return even(n, sum);
	case 1: return odd(n, sum + 1);
	case 2: return by_pointer(n, sum);
	case 3: return sum * n;
	case 4: return by_pointer(n / 2, sum - 1);
	case 5: return even(n * 2, sum);
	case 6: return n ^ sum;
	default: return odd(n, sum ^ 5);
	}
}

int main(void)
{
	say("even %ld odd %ld", even(10001, 0), odd(10000, 0));
	for (long i = 0; i < 50; i++)
		say("%ld: %ld %ld", i, by_pointer(i, 1), by_switch(i, i));
	return 0;
}
