// SPDX-License-Identifier: LGPL-3.0-or-later
// rethrows - an exception is caught and thrown on, nested in another, and carried to another thread
#include <exception>
#include <stdexcept>
#include <thread>

#include "harm.h"

CALLED static void origin(int n)
{
	Guard guard("origin", n);

	throw std::out_of_range("origin " + std::to_string(n));
}

CALLED static void passes_on(int n)
{
	Guard guard("passes_on", n);

	try {
		if (n > 0)
			passes_on(n - 1);
		else
			origin(n);
	} catch (const std::exception &error) {
		say("seen at %d: %s", n, error.what());
		throw;
	}
}

CALLED static void nests(int n)
{
	Guard guard("nests", n);

	try {
		passes_on(n);
	} catch (...) {
		std::throw_with_nested(std::runtime_error("around"));
	}
}

CALLED static void print(const std::exception &error)
{
	say("error %s", error.what());
	try {
		std::rethrow_if_nested(error);
	} catch (const std::exception &inner) {
		print(inner);
	}
}

int main()
{
	std::exception_ptr carried;

	for (int i = 0; i < 3; i++) {
		try {
			nests(i);
		} catch (const std::exception &error) {
			print(error);
		}
	}
	std::thread([&] {
		try {
			passes_on(2);
		} catch (...) {
			carried = std::current_exception();
		}
	}).join();
	try {
		std::rethrow_exception(carried);
	} catch (const std::out_of_range &error) {
		say("carried %s", error.what());
	}
	return 0;
}
