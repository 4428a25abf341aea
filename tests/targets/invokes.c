// SPDX-License-Identifier: LGPL-3.0-or-later
/* invokes LIBRARY FUNCTION N - loads the library and calls its function, which takes nothing, N times */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *library, *function = NULL;

	if (argc != 4) {
		fprintf(stderr, "usage: invokes LIBRARY FUNCTION N\n");
		return 2;
	}
	library = dlopen(argv[1], RTLD_NOW);
	if (library)
		function = dlsym(library, argv[2]);
	if (!function) {
		fprintf(stderr, "invokes: %s\n", dlerror());
		return 1;
	}
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
		((void (*)(void))function)();
	return 0;
}
