/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace/async.h"

static struct async *new_async(size_t max_open)
{
	struct async *async;

	assert_int_equal(async_new(max_open, &async), 0);
	return async;
}

static struct async_key key_of(const char *name, uint64_t id)
{
	return (struct async_key){.name = name, .category = "lib", .id = id};
}

static uint64_t begin(struct async *async, struct async_key key, uint32_t pid)
{
	const struct async_open begins = {.time_ns = 5, .pid = pid, .tid = pid, .name = key.name};
	const struct async_open *open;

	assert_int_equal(async_begin(async, &key, &begins, &open), 0);
	assert_int_equal(open->pid, pid);
	return open->number;
}

/* The number of the one that ends, 0 if none does. */
static uint64_t end(struct async *async, struct async_key key, uint32_t pid)
{
	const struct async_open *open = async_end(async, &key, pid);

	return open ? open->number : 0;
}

static void an_end_belongs_to_the_beginning_with_its_key(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	struct async_key other = key_of("a", 1);
	uint64_t a1, a2, b1;

	(void)state;
	other.category = "other";
	a1 = begin(async, key_of("a", 1), 100);
	a2 = begin(async, key_of("a", 2), 100);
	b1 = begin(async, key_of("b", 1), 100);
	assert_int_equal(async_count(async), 3);
	assert_int_equal(end(async, other, 100), 0);
	assert_int_equal(end(async, key_of("b", 2), 100), 0);
	assert_int_equal(end(async, key_of("a", 1), 100), a1);
	assert_int_equal(end(async, key_of("a", 1), 100), 0);
	assert_int_equal(end(async, key_of("b", 1), 100), b1);
	assert_int_equal(end(async, key_of("a", 2), 100), a2);
	assert_int_equal(async_count(async), 0);
}

static void recursion_ends_innermost_first(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	uint64_t outer, middle, inner;

	(void)state;
	outer = begin(async, key_of("a", 1), 100);
	middle = begin(async, key_of("a", 1), 100);
	inner = begin(async, key_of("a", 1), 100);
	assert_int_equal(end(async, key_of("a", 1), 100), inner);
	assert_int_equal(end(async, key_of("a", 1), 100), middle);
	assert_int_equal(end(async, key_of("a", 1), 100), outer);
}

static void the_own_process_goes_before_another(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	uint64_t own, others;

	(void)state;
	own = begin(async, key_of("a", 1), 100);
	others = begin(async, key_of("a", 1), 200);
	assert_int_equal(end(async, key_of("a", 1), 100), own);
	assert_int_equal(end(async, key_of("a", 1), 100), others); /* handed over */
	assert_int_equal(end(async, key_of("a", 1), 200), 0);
}

static void what_is_taken_from_the_middle_leaves_the_rest_in_order(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	uint64_t numbers[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		numbers[i] = begin(async, key_of("a", 1), 100 + i);
	assert_int_equal(end(async, key_of("a", 1), 102), numbers[2]);
	assert_int_equal(end(async, key_of("a", 1), 104), numbers[4]);
	assert_int_equal(end(async, key_of("a", 1), 999), numbers[3]);
	assert_int_equal(async_next(async)->number, numbers[0]);
	assert_int_equal(async_next(async)->number, numbers[1]);
	assert_null(async_next(async));
}

static void names_are_copied_and_may_differ_from_the_key(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	char name[] = "request 7", key_name[] = "handle", category[] = "lib";
	struct async_key key = {.name = key_name, .category = category, .id = 1};
	const struct async_open begins = {.pid = 1, .name = name}, *open;

	(void)state;
	assert_int_equal(async_begin(async, &key, &begins, &open), 0);
	memset(name, 'x', strlen(name));
	memset(category, 'x', strlen(category));
	memset(key_name, 'x', strlen(key_name));
	key = (struct async_key){.name = "handle", .category = "lib", .id = 1};
	open = async_end(async, &key, 1);
	assert_non_null(open);
	assert_string_equal(open->name, "request 7");
	assert_string_equal(open->category, "lib");
}

static void no_more_are_kept_than_the_limit(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(2);
	const struct async_open begins = {.name = "a"}, *open;
	struct async_key key = key_of("a", 3);
	uint64_t first;

	(void)state;
	first = begin(async, key_of("a", 1), 1);
	begin(async, key_of("a", 2), 1);
	assert_int_equal(async_begin(async, &key, &begins, &open), -E2BIG);
	assert_int_equal(end(async, key, 0), 0);
	assert_int_equal(end(async, key_of("a", 1), 1), first);
	assert_int_equal(async_begin(async, &key, &begins, &open), 0);
	assert_int_equal(open->number, 3); /* numbers are used once */
}

static void on_abandoned(void *opaque, const struct async_open *open)
{
	uint64_t *sum = opaque;

	*sum = *sum * 10 + open->number;
}

static void those_of_threads_end_with_their_process(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(10);
	struct async_key thread = key_of("a", 100), other_thread = key_of("a", 200);
	uint64_t abandoned = 0;

	(void)state;
	thread.is_thread = other_thread.is_thread = true;
	begin(async, key_of("a", 100), 100); /* 1: an id of the user's, which may end elsewhere */
	begin(async, thread, 100);	     /* 2 */
	begin(async, other_thread, 200);     /* 3 */
	begin(async, thread, 100);	     /* 4 */
	async_abandon(async, 100, on_abandoned, &abandoned);
	assert_int_equal(abandoned, 24);
	assert_int_equal(async_count(async), 2);
	assert_int_equal(end(async, key_of("a", 100), 100), 1);
	assert_int_equal(end(async, other_thread, 200), 3);
}

/* A stack with all of them on it is taken apart from its bottom in no time. */
static void very_many_with_one_key_are_no_burden(void **state)
{
	_cleanup_(async_freep) struct async *async = new_async(200000);

	(void)state;
	for (int i = 0; i < 200000; i++)
		begin(async, key_of("a", 1), 1 + i % 2);
	for (int i = 1; i <= 200000; i++)
		assert_int_equal(async_next(async)->number, i);
	assert_null(async_next(async));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_belongs_to_the_beginning_with_its_key),
		cmocka_unit_test(recursion_ends_innermost_first),
		cmocka_unit_test(the_own_process_goes_before_another),
		cmocka_unit_test(what_is_taken_from_the_middle_leaves_the_rest_in_order),
		cmocka_unit_test(names_are_copied_and_may_differ_from_the_key),
		cmocka_unit_test(no_more_are_kept_than_the_limit),
		cmocka_unit_test(those_of_threads_end_with_their_process),
		cmocka_unit_test(very_many_with_one_key_are_no_burden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
