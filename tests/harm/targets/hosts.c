// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * hosts PLUGIN - C, with a library in C that loads one in C++ which nobody named: what that throws passes the program's callback
 */
#include "harm.h"
#include "host.h"

CALLED static void call_back(function *throws, int n)
{
	say("callback %d", n);
	throws(n);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	for (int i = 0; argc > 1 && i < 3; i++)
		say("caught %d", host(argv[1], call_back, i));
	return argc < 2;
}
