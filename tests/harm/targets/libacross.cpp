// SPDX-License-Identifier: LGPL-3.0-or-later
// libacross - the library of across: it throws, passes on, and catches
#include "across.h"

CALLED void across_throw(int n)
{
	Guard guard("across_throw", n);

	throw Problem(n);
}

CALLED void across_call(void (*callback)(int), int n)
{
	Guard guard("across_call", n);

	callback(n);
	say("callback %d came back", n);
}

CALLED bool across_catch(void (*callback)(int), int n)
{
	try {
		across_call(callback, n);
	} catch (const Problem &problem) {
		say("library caught %d", problem.number);
		return true;
	}
	return false;
}
