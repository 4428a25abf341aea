/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Requests that one function begins and another ends, on threads of their own, N of them (5). */
#include <cstdlib>
#include <future>
#include <unistd.h>
#include <vector>

#define POINTCUT(text) __attribute__((annotate("@critical_path(pointcut=" text ")"), noinline))

POINTCUT("'after_async', scope='request'") int end_request(int n)
{
	usleep(1000);
	return n;
}

POINTCUT("'before_async', scope='request'") std::future<int> begin_request(int n)
{
	return std::async(std::launch::async, end_request, n);
}

POINTCUT("'around'") int all_requests(int n)
{
	std::vector<std::future<int>> requests;
	int sum = 0;

	for (int i = 0; i < n; i++)
		requests.push_back(begin_request(i));
	for (auto &request : requests)
		sum += request.get();
	return sum;
}

int main(int argc, char **argv)
{
	return all_requests(argc > 1 ? std::atoi(argv[1]) : 5) < 0;
}
