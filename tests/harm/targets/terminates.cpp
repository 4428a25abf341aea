// SPDX-License-Identifier: LGPL-3.0-or-later
// terminates - ends itself on purpose: noexcept broken, nothing caught, std::terminate, and with a handler
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "harm.h"

CALLED static void fails(int n)
{
	Guard guard("fails", n);

	throw std::runtime_error("on purpose");
}

CALLED static void promises(int n) noexcept
{
	Guard guard("promises", n);

	fails(n);
}

CALLED static void nobody_catches(int n)
{
	Guard guard("nobody_catches", n);

	fails(n);
}

CALLED static void last_words()
{
	try {
		if (std::current_exception())
			std::rethrow_exception(std::current_exception());
		say("last words, no exception");
	} catch (const std::exception &error) {
		say("last words: %s", error.what());
	}
	_exit(7);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "noexcept";

	if (argc > 2)
		std::set_terminate(last_words);
	if (!strcmp(how, "noexcept"))
		promises(1);
	else if (!strcmp(how, "uncaught"))
		nobody_catches(1);
	else
		std::terminate();
	return 0;
}
