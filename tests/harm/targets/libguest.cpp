// SPDX-License-Identifier: LGPL-3.0-or-later
/* libguest - throws through whoever it calls back; see hosts.c */
extern "C" {
#include "host.h"
int guest(callback *call_back, int n);
}

static void throws(int n)
{
	throw n + 100;
}

int guest(callback *call_back, int n)
{
	try {
		call_back(throws, n);
	} catch (int number) {
		return number;
	}
	return -1;
}
