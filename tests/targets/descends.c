/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A recursion of one call alone, so that all of its callers have one return address. The first begins with its frame; an optimizer
 * makes that of the second behind its first jump.
 */
static volatile int sum;

__attribute__((noinline, optimize("O0"))) int descend(int n)
{
	return n ? descend(n - 1) + 1 : sum;
}

__attribute__((noinline, optimize("O2"))) int descend_late(int n)
{
	if (!n)
		return sum;
	sum += descend_late(n - 1);
	return sum + n;
}

int main(void)
{
	sum += descend(5) + descend_late(5);
	return 0;
}
