/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* N threads x M calls of an annotated tiny function */
#include <thread>
#include <vector>
#include <cstdlib>
#include <cstdio>
__attribute__((annotate("@critical_path()"), noinline)) void tiny()
{
	asm volatile("" ::: "memory");
}
int main(int c, char **v)
{
	int n = atoi(v[1]);
	long m = atol(v[2]);
	std::vector<std::thread> t;
	for (int i = 0; i < n; i++)
		t.emplace_back([m] {
			for (long k = 0; k < m; k++)
				tiny();
		});
	for (auto &x : t)
		x.join();
}
