// SPDX-License-Identifier: LGPL-3.0-or-later
/* libplain - C, built with -fexceptions: a frame that calls back; nothing in the file tells that an exception may pass it */
#include "harm.h"
#include "sorts.h"

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
