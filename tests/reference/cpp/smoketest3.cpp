/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One call in one call in one call, the outermost of which computes. */
#include <cstdio>
#include <vector>

#define CRITICAL_PATH __attribute__((annotate("@critical_path()")))

CRITICAL_PATH int bas()
{
	return std::puts("bas");
}

CRITICAL_PATH int bar()
{
	return bas();
}

CRITICAL_PATH double foo()
{
	std::vector<double> values(500000, 1.5);
	double sum = bar();

	for (int i = 0; i < 20; i++)
		for (double value : values)
			sum += value * i;
	return sum;
}

int main()
{
	return foo() < 0;
}
