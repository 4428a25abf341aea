// SPDX-License-Identifier: LGPL-3.0-or-later
/* libsorts - plain C, built with -fexceptions: a frame with a clean-up and one without, that call back */
#include "harm.h"
#include "sorts.h"

CALLED static void clean(int *n)
{
	say("C cleans up %d", *n);
}

CALLED void sort_tidily(int *values, int n, int (*compare)(const void *, const void *))
{
	__attribute__((cleanup(clean))) int held = n;

	sort_plainly(values, held, compare);
	say("C has sorted %d", held);
}

CALLED void sort_plainly(int *values, int n, int (*compare)(const void *, const void *))
{
	for (int i = 1; i < n; i++) {
		for (int k = i; k > 0 && compare(&values[k - 1], &values[k]) > 0; k--) {
			int value = values[k];

			values[k] = values[k - 1];
			values[k - 1] = value;
		}
	}
}
