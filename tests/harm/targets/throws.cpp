// SPDX-License-Identifier: LGPL-3.0-or-later
// throws - an exception passes through 1, 5 and 50 frames, each with a destructor that must run, innermost first
#include <cstdlib>
#include <stdexcept>

#include "harm.h"

template <int depth> struct Frame {
	CALLED static int run(int value)
	{
		Guard guard("frame", depth);

		return Frame<depth - 1>::run(value + 1) + 1;
	}
};

template <> struct Frame<0> {
	CALLED static int run(int value)
	{
		if (value >= 1000)
			throw std::runtime_error("value " + std::to_string(value));
		return value;
	}
};

CALLED static int attempt(int frames, int value)
{
	try {
		return frames == 1 ? Frame<1>::run(value) : frames == 5 ? Frame<5>::run(value) : Frame<50>::run(value);
	} catch (const std::runtime_error &error) {
		say("caught %s", error.what());
		return -1;
	}
}

int main(int argc, char **argv)
{
	int frames = argc > 1 ? atoi(argv[1]) : 5;

	for (int i = 0; i < 3; i++)
		say("result %d and %d", attempt(frames, 1000 + i), attempt(frames, i));
	return 0;
}
