/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reader/sorter.h"

struct record {
	uint64_t key, number;
	char rest[8];
};

static int compare(const void *left, const void *right)
{
	const struct record *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Sorts n records and compares with what must come out: keys in order, nothing lost, nothing twice.
 */
static void check_sorting(size_t n, size_t max_bytes, uint64_t n_keys)
{
	_cleanup_(sorter_freep) struct sorter *sorter = NULL;
	struct record last = {0};
	uint64_t sum = 0;
	const void *next;
	struct why why = {0};

	srand(7);
	assert_int_equal(sorter_new(sizeof(struct record), compare, max_bytes, &sorter), 0);
	for (size_t i = 0; i < n; i++) {
		struct record record = {.key = rand() % n_keys, .number = i + 1};

		snprintf(record.rest, sizeof(record.rest), "%zu", i % 1000000);
		assert_int_equal(sorter_add(sorter, &record, &why), 0);
		sum += record.number;
	}
	for (size_t i = 0; i < n; i++) {
		const struct record *record;

		assert_int_equal(sorter_next(sorter, &next, &why), 1);
		record = next;
		if (i > 0)
			assert_true(compare(&last, record) < 0);
		assert_int_equal(strtoull(record->rest, NULL, 10), (record->number - 1) % 1000000);
		last = *record;
		sum -= record->number;
	}
	assert_int_equal(sum, 0);
	assert_int_equal(sorter_next(sorter, &next, &why), 0);
	assert_int_equal(sorter_next(sorter, &next, &why), 0);
}

static void what_fits_into_memory_comes_out_in_order(void **state)
{
	(void)state;
	check_sorting(0, 1 << 20, 1);
	check_sorting(1, 1 << 20, 1);
	check_sorting(10000, 1 << 20, 100);
}

static void what_does_not_fit_comes_out_in_order_too(void **state)
{
	(void)state;
	check_sorting(100000, 64 * 1024, 1 << 30);
	check_sorting(100000, 64 * 1024, 3);
	check_sorting(1000, 2 * sizeof(struct record), 50); /* 500 runs of two records */
	check_sorting(1001, 0, 50);
}

/* One record more or less than what fits. */
static void the_edges_of_memory_are_right(void **state)
{
	(void)state;
	for (size_t n = 9; n <= 31; n++)
		check_sorting(n, 10 * sizeof(struct record), 5);
}

static void a_folder_for_temporary_files_that_is_not_there_is_named(void **state)
{
	_cleanup_(sorter_freep) struct sorter *sorter = NULL;
	struct record record = {0};
	struct why why = {0};
	int r = 0;

	(void)state;
	setenv("TMPDIR", "/no/such/folder", 1);
	assert_int_equal(sorter_new(sizeof(record), compare, 0, &sorter), 0);
	for (int i = 0; i < 3 && r == 0; i++)
		r = sorter_add(sorter, &record, &why);
	unsetenv("TMPDIR");
	assert_int_equal(r, -ENOENT);
	assert_non_null(strstr(why.text, "/no/such/folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_into_memory_comes_out_in_order),
		cmocka_unit_test(what_does_not_fit_comes_out_in_order_too),
		cmocka_unit_test(the_edges_of_memory_are_right),
		cmocka_unit_test(a_folder_for_temporary_files_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
