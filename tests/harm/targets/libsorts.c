// SPDX-License-Identifier: LGPL-3.0-or-later
/* libsorts - C, built with -fexceptions: a frame with a clean-up around one that has none */
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
