// SPDX-License-Identifier: LGPL-3.0-or-later
// toils - threads with calls, exceptions and jumps until its standard input ends; probes may come and go in the midst of any
#include <setjmp.h>

#include <thread>

#include "harm.h"

static volatile bool stopped;

CALLED static int dive(int depth, int value)
{
	int below = depth ? dive(depth - 1, value + 1) : value;

	NO_TAIL_CALL();
	return below + depth;
}

struct Counter {
	int *count;

	CALLED explicit Counter(int *to) : count(to) {}
	CALLED ~Counter() { ++*count; }
};

CALLED static int throws(int depth, int *cleaned)
{
	Counter counter(cleaned);

	if (!depth)
		throw 7;
	return throws(depth - 1, cleaned) + 1;
}

CALLED static int catches()
{
	int cleaned = 0;

	try {
		throws(9, &cleaned);
	} catch (int thrown) {
		return cleaned * 100 + thrown;
	}
	return -1;
}

CALLED static void jumps(int depth, jmp_buf place)
{
	if (depth > 0)
		jumps(depth - 1, place);
	else if (!depth)
		longjmp(place, 1);
	NO_TAIL_CALL();
}

CALLED static int jumped()
{
	jmp_buf place;

	if (!setjmp(place))
		jumps(5, place);
	else
		return 1;
	return 0;
}

CALLED static void slowly(int depth)
{
	if (depth)
		slowly(depth - 1);
	else
		usleep(20000);
	NO_TAIL_CALL();
}

CALLED static void works(int *wrong)
{
	while (!stopped)
		*wrong += (dive(20, 0) != 230) + (catches() != 1007) + (jumped() != 1);
}

int main()
{
	int wrong[2] = {};
	std::thread first(works, &wrong[0]), second(works, &wrong[1]), third([] {
		while (!stopped)
			slowly(10);
	});
	char byte;

	say("ready");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	stopped = true;
	first.join();
	second.join();
	third.join();
	say("wrong %d", wrong[0] + wrong[1]);
	return 19;
}
