// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * thrown_past - exceptions through functions that catch nothing
 *
 * 5 times: catches() calls outer(), which calls inner(), which throws; cleans() between them has something to clean up.
 * Caught, catches() sleeps 50 ms before it calls anything else: after().
 */
#include <unistd.h>

#include "target.h"

extern "C" {
void inner(int number);
void cleans(int number);
void outer(int number);
void after(int number);
int catches(int number);
}

static volatile int cleaned, seen;

namespace {
struct Guard {
	~Guard() { cleaned = cleaned + 1; }
};
} // namespace

CALLED void inner(int number)
{
	throw number;
}

CALLED void cleans(int number)
{
	Guard guard;

	inner(number);
}

CALLED void outer(int number)
{
	cleans(number);
	NO_TAIL_CALL();
}

CALLED void after(int number)
{
	seen = seen + number;
}

CALLED int catches(int number)
{
	try {
		outer(number);
	} catch (int thrown) {
		usleep(50000);
		after(thrown);
		NO_TAIL_CALL();
		return 1;
	}
	return 0;
}

int main()
{
	int caught = 0;

	for (int i = 0; i < 5; i++)
		caught += catches(i);
	return caught != 5 || cleaned != 5 || seen != 10;
}
