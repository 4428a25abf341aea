/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/hash.h"

static char values[10000];

static void an_empty_table_has_nothing(void **state)
{
	struct hash hash = {};
	size_t cursor = 0;

	(void)state;
	assert_null(hash_find(&hash, 0));
	assert_null(hash_remove(&hash, 0));
	assert_null(hash_next(&hash, &cursor, NULL));
	hash_done(&hash);
}

static void many_values_are_all_found_again(void **state)
{
	struct hash hash = {};

	(void)state;
	/* keys that differ in their high bits alone, or low ones alone */
	for (uint64_t i = 0; i < 5000; i++) {
		assert_int_equal(hash_put(&hash, i, &values[i]), 0);
		assert_int_equal(hash_put(&hash, (i + 1) << 48, &values[5000 + i]), 0);
	}
	assert_int_equal(hash.n_values, 10000);
	for (uint64_t i = 0; i < 5000; i++) {
		assert_ptr_equal(hash_find(&hash, i), &values[i]);
		assert_ptr_equal(hash_find(&hash, (i + 1) << 48), &values[5000 + i]);
	}
	assert_null(hash_find(&hash, 5000));
	hash_done(&hash);
}

static void a_value_is_replaced(void **state)
{
	struct hash hash = {};

	(void)state;
	assert_int_equal(hash_put(&hash, UINT64_MAX, &values[0]), 0);
	assert_int_equal(hash_put(&hash, UINT64_MAX, &values[1]), 0);
	assert_int_equal(hash.n_values, 1);
	assert_ptr_equal(hash_find(&hash, UINT64_MAX), &values[1]);
	hash_done(&hash);
}

static void what_is_removed_is_gone_and_the_others_stay(void **state)
{
	struct hash hash = {};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(hash_put(&hash, i, &values[i]), 0);
	for (uint64_t i = 0; i < 1000; i += 2)
		assert_ptr_equal(hash_remove(&hash, i), &values[i]);
	assert_null(hash_remove(&hash, 0));
	assert_int_equal(hash.n_values, 500);
	for (uint64_t i = 0; i < 1000; i++)
		assert_ptr_equal(hash_find(&hash, i), i % 2 ? &values[i] : NULL);
	hash_done(&hash);
}

static void values_that_come_and_go_do_not_make_the_table_grow(void **state)
{
	struct hash hash = {};

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		assert_int_equal(hash_put(&hash, i, &values[0]), 0);
		assert_ptr_equal(hash_remove(&hash, i), &values[0]);
	}
	assert_int_equal(hash.n_values, 0);
	assert_true(hash.n_slots <= 64);
	hash_done(&hash);
}

static void a_walk_meets_each_value_once_even_while_it_is_removed(void **state)
{
	struct hash hash = {};
	size_t cursor = 0, n = 0;
	uint64_t key, sum = 0;

	(void)state;
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(hash_put(&hash, i, &values[i]), 0);
	for (char *value; (value = hash_next(&hash, &cursor, &key)); n++) {
		assert_ptr_equal(value, &values[key]);
		assert_ptr_equal(hash_remove(&hash, key), value);
		sum += key;
	}
	assert_int_equal(n, 300);
	assert_int_equal(sum, 300 * 299 / 2);
	assert_int_equal(hash.n_values, 0);
	hash_done(&hash);
}

static void different_bytes_have_different_hashes(void **state)
{
	(void)state;
	assert_true(hash_bytes("libm.so.6", 9) == hash_bytes("libm.so.6", 9));
	assert_true(hash_bytes("libm.so.6", 9) != hash_bytes("libm.so.7", 9));
	assert_true(hash_bytes("a\0", 2) != hash_bytes("a", 1));
	assert_true(hash_bytes("12345678abcdefgh", 16) != hash_bytes("abcdefgh12345678", 16));
	assert_true(hash_bytes("", 0) != hash_bytes("\0", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_table_has_nothing),
		cmocka_unit_test(many_values_are_all_found_again),
		cmocka_unit_test(a_value_is_replaced),
		cmocka_unit_test(what_is_removed_is_gone_and_the_others_stay),
		cmocka_unit_test(values_that_come_and_go_do_not_make_the_table_grow),
		cmocka_unit_test(a_walk_meets_each_value_once_even_while_it_is_removed),
		cmocka_unit_test(different_bytes_have_different_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
