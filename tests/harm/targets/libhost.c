// SPDX-License-Identifier: LGPL-3.0-or-later
/* libhost - a library that loads another; see hosts.c */
#include <dlfcn.h>
#include <stdlib.h>

#include "host.h"

int host(const char *path, callback *call_back, int n)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*guest)(callback *, int) = library ? (int (*)(callback *, int))dlsym(library, "guest") : NULL;

	if (!guest)
		abort();
	return guest(call_back, n);
}
