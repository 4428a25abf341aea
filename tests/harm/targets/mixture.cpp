// SPDX-License-Identifier: LGPL-3.0-or-later
// mixture - a little of everything for each way to build a program: exceptions, longjmp, callbacks, threads, signals
#include <setjmp.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "harm.h"

static jmp_buf place;

CALLED long arithmetic(long n)
{
	return n < 2 ? n : arithmetic(n - 1) + arithmetic(n - 2);
}

CALLED void fails(int n)
{
	Guard guard("fails", n);

	if (n % 2)
		throw std::runtime_error("odd " + std::to_string(n));
}

CALLED void catches(int n)
{
	try {
		fails(n);
		say("even %d", n);
	} catch (const std::exception &error) {
		say("caught %s", error.what());
	}
}

CALLED void jumps(int n)
{
	if (n > 0)
		jumps(n - 1);
	else if (!n)
		longjmp(place, 1);
	NO_TAIL_CALL();
}

CALLED int choose(int n)
{
	switch (n) {
	case 0: return 10;
	case 1: return (int)arithmetic(7);
	case 2: say("two"); return 30;
	case 3: return abs(-n);
	case 4: return 50 + choose(1);
	case 5: say("five"); return 60;
	default: return n * 7;
	}
}

CALLED int compare(const void *a, const void *b)
{
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

CALLED void handler(int number)
{
	say("signal %d %ld", number, arithmetic(5));
}

CALLED void in_thread(int *result)
{
	for (int i = 0; i < 10; i++)
		*result += choose(i);
}

CALLED void switches(int values[8])
{
	for (int i = 0; i < 8; i++)
		values[i] = choose(7 - i);
	qsort(values, 8, sizeof(*values), compare);
}

int main()
{
	int values[8], results[3] = {};
	std::vector<std::thread> threads;

	std::signal(SIGUSR1, handler);
	for (volatile int i = 0; i < 4; i = i + 1) {
		catches(i);
		if (!setjmp(place))
			jumps(3 + i);
		std::raise(SIGUSR1);
	}
	switches(values);
	for (int value : values)
		say("value %d", value);
	for (int &result : results) {
		threads.emplace_back(in_thread, &result);
		threads.back().join();
		say("thread %d", result);
	}
	say("arithmetic %ld", arithmetic(15));
	exit(21);
}
