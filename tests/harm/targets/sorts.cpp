// SPDX-License-Identifier: LGPL-3.0-or-later
// sorts - an exception passes through frames in C: of libraries with and without clean-ups, and of qsort and bsearch
#include <cstdlib>

#include "harm.h"
#include "sorts.h"

CALLED static int compare(const void *a, const void *b)
{
	Guard guard("compare", *(const int *)a);

	if (*(const int *)a == 13 || *(const int *)b == 13)
		throw 13;
	return *(const int *)a - *(const int *)b;
}

CALLED static void by_libc(int *values, int n, int (*by)(const void *, const void *))
{
	qsort(values, (size_t)n, sizeof(*values), by);
}

CALLED static void by_search(int *values, int n, int (*by)(const void *, const void *))
{
	int key = values[0];

	say("%s", bsearch(&key, values, (size_t)n, sizeof(*values), by) ? "found" : "not found");
}

CALLED static void attempt(const char *name, void (*sort)(int *, int, int (*)(const void *, const void *)), bool fails)
{
	int values[] = {5, 3, fails ? 13 : 8, 1};

	try {
		sort(values, 4, compare);
		say("%s: %d %d %d %d", name, values[0], values[1], values[2], values[3]);
	} catch (int n) {
		say("%s threw %d", name, n);
	}
}

int main()
{
	for (int fails = 0; fails < 2; fails++) {
		attempt("tidily", sort_tidily, fails);
		attempt("plainly", sort_plainly, fails);
		attempt("qsort", by_libc, fails);
		attempt("bsearch", by_search, fails);
	}
	return 0;
}
