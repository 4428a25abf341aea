// SPDX-License-Identifier: LGPL-3.0-or-later
// libtosses - C++ behind an interface in C: what it throws passes through whoever calls it back
#include "harm.h"
#include "tosses.h"

CALLED void toss(int n)
{
	Guard guard("toss", n);

	throw n;
}

CALLED int toss_through(void (*callback)(int), int n)
{
	try {
		callback(n);
	} catch (int caught) {
		return caught;
	}
	return -1;
}
