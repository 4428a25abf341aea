/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/sorted.h - where a number belongs in a sorted array; for the rest of binary/ */
#ifndef PERFFLOW_BINARY_SORTED_H
#define PERFFLOW_BINARY_SORTED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many of the items, which are sorted by a field of 64 bits, have one that is not greater than the limit. */
#define sorted_until(items, n_items, field, limit) \
	sorted_count((items), (n_items), sizeof(*(items)), offsetof(__typeof__(*(items)), field), (limit))

/* The same of numbers alone. */
#define sorted_numbers_until(numbers, n, limit) sorted_count((numbers), (n), sizeof(uint64_t), 0, (limit))

static inline size_t sorted_count(const void *items, size_t n_items, size_t item_bytes, size_t at, uint64_t limit)
{
	size_t low = 0, high = n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t number;

		memcpy(&number, (const char *)items + middle * item_bytes + at, sizeof(number));
		if (number <= limit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
