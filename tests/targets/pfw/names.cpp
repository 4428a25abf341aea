/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Functions whose names a compiler pass and people may disagree about. */
#define CRITICAL_PATH __attribute__((annotate("@critical_path()"), noinline))

static volatile int sink;

namespace
{

CRITICAL_PATH void anonymous()
{
	sink++;
}

} /* namespace */

namespace solver
{
namespace
{

CRITICAL_PATH void hidden()
{
	sink++;
}

} /* namespace */

struct functor {
	CRITICAL_PATH void operator()(int n) const
	{
		sink += n;
	}
};

CRITICAL_PATH void overloaded(int n)
{
	sink += n;
}

CRITICAL_PATH void overloaded(double n)
{
	sink += static_cast<int>(n);
}

void call_hidden()
{
	hidden();
}

} /* namespace solver */

template <typename T> CRITICAL_PATH T templated(T n)
{
	sink++;
	return n;
}

extern "C" CRITICAL_PATH void f()
{
	sink++;
}

int main()
{
	anonymous();
	solver::call_hidden();
	solver::functor()(1);
	solver::overloaded(1);
	solver::overloaded(1.5);
	templated(1);
	f();
	return 0;
}
