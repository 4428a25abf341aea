// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * plain - built as PIE and not, with and without endbr64, static and optimised in several ways
 *
 * add(): 100 calls. twice(): 50 calls, with one call of add() inside each. large_frame(): 20 calls.
 */
#include <string.h>

#include "target.h"

CALLED int add(int a, int b);
CALLED int twice(int a);
CALLED int large_frame(int a);

int add(int a, int b)
{
	return a + b;
}

int twice(int a)
{
	int sum = add(a, a);

	NO_TAIL_CALL();
	return sum;
}

int large_frame(int a)
{
	volatile char frame[4096];

	memset((char *)frame, a, sizeof(frame));
	return frame[a];
}

int main(void)
{
	int sum = 0;

	for (int i = 0; i < 50; i++)
		sum += add(i, 0) + twice(i);
	for (int i = 0; i < 20; i++)
		sum += large_frame(i);
	return sum != 3 * 1225 + 190;
}
