// SPDX-License-Identifier: LGPL-3.0-or-later
// destructors - while one exception unwinds the stack, destructors throw and catch others of their own
#include <exception>
#include <stdexcept>

#include "harm.h"

CALLED static void fails(int n)
{
	Guard guard("fails", n);

	throw n;
}

struct Careful {
	int number;

	CALLED explicit Careful(int n) : number(n) {}
	CALLED ~Careful()
	{
		try {
			fails(number);
		} catch (int n) {
			say("destructor caught %d, %d in flight", n, std::uncaught_exceptions());
		}
	}
};

struct Throws {
	CALLED ~Throws() noexcept(false)
	{
		Guard guard("throws", 0);

		if (!std::uncaught_exceptions())
			throw std::logic_error("from a destructor");
	}
};

CALLED static void inner()
{
	Careful careful(1);

	fails(100);
}

CALLED static void outer()
{
	Careful careful(2);
	Throws quiet;

	inner();
}

CALLED static void calls_destructor()
{
	Careful careful(3);
	Throws loud;

	say("nothing wrong so far");
}

int main()
{
	for (int i = 0; i < 3; i++) {
		try {
			outer();
		} catch (int n) {
			say("main caught %d", n);
		}
		try {
			calls_destructor();
		} catch (const std::logic_error &error) {
			say("main caught %s", error.what());
		}
	}
	return 0;
}
