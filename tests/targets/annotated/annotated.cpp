/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* C++ that is annotated for PerfFlowAspect, with nothing of perfflow's in it: what it calls, it
 * calls N times (3). */
#include <cstdio>
#include <cstdlib>

#include "annotated.h"

int calls;

namespace
{

__attribute__((annotate("@critical_path()"))) int anonymous(int n)
{
	return calls++ + n;
}

struct square : solver::shape {
	square() : shape(4)
	{
	}
	CRITICAL_PATH int virtual_member(int n) override
	{
		return calls++ * n + 1;
	}
};

struct functor {
	CRITICAL_PATH int operator()(int n) const
	{
		return calls++ + n;
	}
};

CRITICAL_PATH int throws(int n)
{
	calls++;
	if (n % 2)
		throw n;
	return n;
}

} /* namespace */

CRITICAL_PATH int solver::shape::outside(int n)
{
	return calls++ + n;
}

__attribute__((annotate(
	"@perfflowaspect.aspect.critical_path(pointcut='after_async', scope='io', flow='in')"))) int
plain(int n)
{
	return calls++ + n;
}

CRITICAL_PATH static int hidden(int n)
{
	return calls++ + n;
}

__attribute__((annotate("hot"))) int foreign(int n)
{
	return calls++ + n;
}

__attribute__((annotate("@critical_path(pointcut='around',)"))) int malformed(int n)
{
	return calls++ + n;
}

CRITICAL_PATH inline int nobody_calls_me()
{
	return std::puts("who?");
}

static int catches(int n)
{
	try {
		return throws(n);
	} catch (int thrown) {
		return -thrown;
	}
}

static int call_all(int n)
{
	solver::shape *shape = new square;
	solver::grid<int> numbers;
	solver::grid<double> reals;
	int (solver::shape::*member)(int) const = &solver::shape::member;
	auto lambda = [](int i) __attribute__((annotate("@critical_path()")))
	{
		return calls++ + i;
	};
	int sum = solver::inline_function(n) + solver::function_template(n) +
		  static_cast<int>(solver::function_template(1.0));

	/* a pointer to a member tells virtual ones by an odd number */
	sum += (shape->*member)(n) + solver::shape::static_member(n) + shape->virtual_member(n);
	sum += shape->member_template(n) + static_cast<int>(shape->member_template(2.0f)) +
	       shape->outside(n);
	sum += numbers.add(n) + static_cast<int>(reals.add(n)) + numbers.twice(n) + lambda(n) +
	       functor()(n);
	sum += anonymous(n) + plain(n) + hidden(n) + foreign(n) + malformed(n) + catches(n);
	delete shape;
	return sum;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? std::atoi(argv[1]) : 3, sum = 0;

	for (int i = 0; i < n; i++)
		sum += call_all(i) + other(i) + library(i);
	std::printf("%d calls, %d\n", calls, sum);
	return 0;
}
