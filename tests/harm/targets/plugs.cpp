// SPDX-License-Identifier: LGPL-3.0-or-later
// plugs - a library is loaded, called and unloaded 60 times; in between it is gone, and its addresses with it
#include <dlfcn.h>

#include "harm.h"

CALLED static int callback(int n)
{
	Guard guard("callback", n);

	if (n % 3 == 0)
		throw n;
	return n;
}

CALLED static bool round(const char *path, int n)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*plug)(int (*)(int), int);

	if (!library) {
		say("%s", dlerror());
		return false;
	}
	plug = reinterpret_cast<decltype(plug)>(dlsym(library, "plug"));
	say("plug gave %d", plug(callback, n));
	return dlclose(library) == 0 && !dlopen(path, RTLD_NOW | RTLD_NOLOAD);
}

int main(int argc, char **argv)
{
	for (int i = 1; argc > 1 && i <= 60; i++) {
		if (!round(argv[1], i))
			return 1;
	}
	return 0;
}
