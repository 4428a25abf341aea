/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* N threads (3) call an annotated function M times (1) each; with "recursive" it calls itself, too. */
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

__attribute__((annotate("@critical_path(pointcut='around')"))) int work(int depth)
{
	__asm__ volatile("" : : : "memory");
	return depth > 1 ? work(depth - 1) + 1 : 1;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? std::atoi(argv[1]) : 3, m = argc > 2 ? std::atoi(argv[2]) : 1;
	int depth = argc > 3 && !std::strcmp(argv[3], "recursive") ? 3 : 1;
	std::vector<std::thread> threads;

	for (int i = 0; i < n; i++)
		threads.emplace_back([m, depth] {
			for (int k = 0; k < m; k++)
				work(depth);
		});
	for (auto &thread : threads)
		thread.join();
	return 0;
}
