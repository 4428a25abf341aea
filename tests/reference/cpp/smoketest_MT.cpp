/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Three threads, each of which calls an annotated function. */
#include <cstdio>
#include <thread>
#include <vector>

__attribute__((annotate("@critical_path(pointcut='around')"))) void foo(int n)
{
	std::printf("thread %d\n", n);
}

int main()
{
	std::vector<std::thread> threads;

	for (int i = 0; i < 3; i++)
		threads.emplace_back(foo, i);
	for (auto &thread : threads)
		thread.join();
	return 0;
}
