// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * plusplus - names as C++ has them
 *
 * solver::step(int): 3 calls, solver::step(double): 4 calls. solver::Grid<int>::sweep(): 5 calls,
 * solver::Grid<double>::sweep(): 6 calls. solver::apply<char>(char): 2 calls. solver::Base::compute() 1 call,
 * solver::Derived::compute() 7 calls. (anonymous namespace)::hidden(): 8 calls. extern "C" plain_c(): 9 calls.
 */
#include "target.h"

namespace solver {
CALLED int step(int x)
{
	return x + 1;
}

CALLED double step(double x)
{
	return x + 0.5;
}

template <typename T> struct Grid {
	T cell = 1;
	CALLED T sweep() { return cell += 1; }
};

template <typename T> CALLED T apply(T x)
{
	return x;
}

struct Base {
	virtual ~Base() = default;
	CALLED virtual int compute() { return 1; }
};

struct Derived : Base {
	CALLED int compute() override { return 2; }
};
} // namespace solver

namespace {
CALLED int hidden(int x)
{
	return x;
}
} // namespace

extern "C" CALLED int plain_c(int x);
int plain_c(int x)
{
	return x;
}

int main()
{
	solver::Grid<int> ints;
	solver::Grid<double> doubles;
	solver::Base base;
	solver::Derived derived;
	solver::Base *volatile object = &base;
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += solver::step(i);
	for (int i = 0; i < 4; i++)
		sum += static_cast<int>(solver::step(1.0 * i));
	for (int i = 0; i < 5; i++)
		ints.sweep();
	for (int i = 0; i < 6; i++)
		doubles.sweep();
	for (int i = 0; i < 2; i++)
		solver::apply('x');
	sum += object->compute();
	object = &derived;
	for (int i = 0; i < 7; i++)
		sum += object->compute();
	for (int i = 0; i < 8; i++)
		sum += hidden(0);
	for (int i = 0; i < 9; i++)
		sum += plain_c(0);
	return sum != 6 + 6 + 1 + 14;
}
