// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * loads LIBRARY - a library that nothing tells of before the program loads it
 *
 * plugged() of libplugin.so: 10 calls. own(): 5 calls.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "target.h"

CALLED static void own(void)
{
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int (*plugged)(int) = library ? (int (*)(int))dlsym(library, "plugged") : NULL;
	int sum = 0;

	for (int i = 0; i < 5; i++)
		own();
	for (int i = 0; plugged && i < 10; i++)
		sum += plugged(i);
	return sum != 90;
}
