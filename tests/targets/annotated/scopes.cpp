/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scopes of perfflow/aspect.h that end by a return and by an exception: N of each (3). */
#include "scopes.h"

#include <cstdio>
#include <cstdlib>

static int catches(int n)
{
	PERFFLOW_SCOPE("catches", "scopes");
	try {
		PERFFLOW_SCOPE("try", "scopes");
		return in_template(n);
	} catch (int thrown) {
		PERFFLOW_MARK("caught", "scopes");
		return thrown;
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? std::atoi(argv[1]) : 3, sum = 0;

	for (int i = 0; i < n; i++)
		sum += catches(i) + catches(1000 + i) + in_other_file(i);
	std::printf("%d\n", sum);
	return 0;
}
