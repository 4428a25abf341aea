// SPDX-License-Identifier: LGPL-3.0-or-later
// libplug - what plugs loads again and again: it calls back, and catches what the callback throws
#include "harm.h"

extern "C" int plug(int (*callback)(int), int n)
{
	Guard guard("plug", n);

	try {
		return callback(n);
	} catch (int thrown) {
		return -thrown;
	}
}
