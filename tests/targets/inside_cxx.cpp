// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * inside_cxx HOW... - calls of leaf() inside and outside of enter(), which exceptions leave;
 * counted by itself
 *
 * through   the exception leaves all calls of enter(): leaf() where it is caught, and after that
 * deep      the same, then leaf() below a frame larger than all that was left
 * caught    inside of another enter(), which goes on
 * cleanup   leaf() in destructors that the exception runs, of enter() and of its caller
 * again     caught and thrown again, in and outside of enter()
 * thread    in four threads at once
 *
 * Each ten times. Prints "inside N outside M": calls of leaf().
 */
#include <atomic>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "target.h"

static const int rounds = 10;
static std::atomic<long> n_inside, n_outside;
static thread_local long depth;

struct Entered {
	Entered()
	{
		depth++;
	}
	~Entered()
	{
		depth--;
	}
};

CALLED static void leaf()
{
	++(depth ? n_inside : n_outside);
	NO_TAIL_CALL();
}

struct Leaves { /* when it is destroyed */
	~Leaves()
	{
		leaf();
	}
};

CALLED static void raises()
{
	throw std::runtime_error("left");
}

CALLED static void enter(int n, void (*innermost)())
{
	Entered entered;

	leaf();
	if (n > 1)
		enter(n - 1, innermost);
	else
		innermost();
	leaf();
}

CALLED static void enter_with_cleanup(int n)
{
	Entered entered;
	Leaves leaves;

	if (n > 1)
		enter_with_cleanup(n - 1);
	else
		raises();
}

CALLED static void leaf_below()
{
	char large[65536];

	__asm__ volatile("" ::"r"(large) : "memory");
	leaf();
	__asm__ volatile("" ::"r"(large) : "memory");
}

static void through()
{
	try {
		enter(4, raises);
	} catch (const std::runtime_error &) {
		leaf();
	}
	leaf();
	enter(2, leaf);
	leaf();
}

static void deep()
{
	try {
		enter(4, raises);
	} catch (const std::runtime_error &) {
		leaf_below();
	}
	leaf_below();
	leaf();
}

CALLED static void catches()
{
	try {
		enter(3, raises);
	} catch (const std::runtime_error &) {
		leaf();
	}
	leaf_below();
}

static void caught()
{
	enter(2, catches);
	leaf();
}

static void cleanup()
{
	try {
		Leaves leaves;

		enter_with_cleanup(3);
	} catch (const std::runtime_error &) {
		leaf();
	}
	leaf();
}

CALLED static void throws_again()
{
	try {
		enter(2, raises);
	} catch (const std::runtime_error &) {
		leaf();
		throw;
	}
}

static void again()
{
	try {
		enter(2, throws_again);
	} catch (const std::runtime_error &) {
		leaf_below();
	}
	try {
		throws_again();
	} catch (const std::runtime_error &) {
		leaf();
	}
}

static void in_threads()
{
	std::vector<std::thread> threads;

	for (int i = 0; i < 4; i++)
		threads.emplace_back([] {
			through();
			caught();
		});
	for (std::thread &thread : threads)
		thread.join();
}

static const struct {
	const char *name;
	void (*run)();
} ways[] = {{"through", through}, {"deep", deep},   {"caught", caught},
	    {"cleanup", cleanup}, {"again", again}, {"thread", in_threads}};

int main(int argc, char **argv)
{
	for (int k = 1; k < argc; k++)
		for (const auto &way : ways)
			for (int round = 0; !std::strcmp(argv[k], way.name) && round < rounds;
			     round++)
				way.run();
	std::printf("inside %ld outside %ld\n", n_inside.load(), n_outside.load());
	return 0;
}
