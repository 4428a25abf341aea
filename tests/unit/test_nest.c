/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "reader/nest.h"
#include "util/text.h"

/* Calls as [start, end) in lane, in the order in which they are added. A point ends where it
 * starts. */
struct given {
	uint32_t lane;
	int64_t start, end;
	bool is_point;
};

/* Writes steps as "+start", "-start(self)", ".start", '!' behind a fault, '|' between lanes. */
static void walk(const struct given *given, size_t n, size_t max_bytes, struct text *steps)
{
	_cleanup_(nest_freep) struct nest *nest = NULL;
	struct nest_step step;
	struct why why = {0};
	uint32_t lane = 0;
	int r;

	steps->size = 0;
	assert_int_equal(text_printf(steps, "%s", ""), 0);
	assert_int_equal(nest_new(max_bytes, &nest), 0);
	for (size_t i = 0; i < n; i++) {
		struct nest_item item = {.process = given[i].lane / 10,
					 .lane = given[i].lane,
					 .start_ns = given[i].start,
					 .end_ns = given[i].end,
					 .is_point = given[i].is_point,
					 .number = i + 1,
					 .line = i + 2};

		assert_int_equal(nest_add(nest, &item, &why), 0);
	}
	while ((r = nest_next(nest, &step, &why)) > 0) {
		if (step.item.lane != lane)
			text_printf(steps, "|");
		lane = step.item.lane;
		if (step.what == NEST_LEAVE)
			text_printf(steps, "-%d(%d)", (int)step.item.start_ns, (int)step.self_ns);
		else
			text_printf(steps, "%c%d", step.what == NEST_ENTER ? '+' : '.',
				    (int)step.item.start_ns);
		if (step.fault != NEST_SOUND)
			text_printf(steps, "!%d", (int)step.other_line);
	}
	assert_int_equal(r, 0);
}

#define CHECK(expected, ...)                                                                       \
	do {                                                                                       \
		static const struct given given[] = {__VA_ARGS__};                                 \
		_cleanup_(text_done) struct text steps = {0};                                      \
		walk(given, sizeof(given) / sizeof(given[0]), 1 << 20, &steps);                    \
		assert_string_equal(steps.data, expected);                                         \
		walk(given, sizeof(given) / sizeof(given[0]), 0, &steps); /* through a file */     \
		assert_string_equal(steps.data, expected);                                         \
	} while (0)

static void calls_nest_whatever_order_they_come_in(void **state)
{
	(void)state;
	CHECK("+10+20+30-30(10)-20(30)+70-70(5)-10(55)", {0, 30, 40}, {0, 20, 60}, {0, 70, 75},
	      {0, 10, 110});
	CHECK("+10+20+30-30(10)-20(30)+70-70(5)-10(55)", {0, 10, 110}, {0, 20, 60}, {0, 30, 40},
	      {0, 70, 75});
	CHECK("+10-10(5)+15-15(5)", {0, 15, 20}, {0, 10, 15});
	CHECK("+0-0(0)", {0});
}

static void threads_come_one_after_another_by_process(void **state)
{
	(void)state;
	CHECK("+5-5(2)|+1-1(9)|+2-2(1)", {11, 2, 3}, {3, 1, 10}, {0, 5, 7});
}

static void of_two_that_are_alike_the_later_one_is_the_outer_one(void **state)
{
	_cleanup_(nest_freep) struct nest *nest = NULL;
	struct nest_step step;
	struct why why = {0};

	(void)state;
	assert_int_equal(nest_new(1000, &nest), 0);
	for (int i = 1; i <= 2; i++)
		assert_int_equal(
			nest_add(nest, &(struct nest_item){.start_ns = 1, .end_ns = 4, .number = i},
				 &why),
			0);
	assert_int_equal(nest_next(nest, &step, &why), 1);
	assert_int_equal(step.item.number, 2);
	assert_int_equal(nest_next(nest, &step, &why), 1);
	assert_int_equal(step.item.number, 1);
	assert_int_equal(step.depth, 1);
	assert_int_equal(step.fault, NEST_SAME_START);
}

static void a_call_that_sticks_out_is_cut_and_told(void **state)
{
	(void)state;
	CHECK("+10+15!2-15(5)-10(5)", {0, 10, 20}, {0, 15, 25});
	CHECK("+10+10!3-10(2)-10(3)", {0, 10, 12}, {0, 10, 15});
	CHECK("+10+11-11(9)-10(1)", {0, 10, 20}, {0, 11, 20});
}

static void points_lie_in_the_calls_that_are_open_then(void **state)
{
	(void)state;
	CHECK("+10.10.20-10(10).21+30-30(1)", {0, 10, 20}, {0, 21, 21, true}, {0, 20, 20, true},
	      {0, 10, 10, true}, {0, 30, 31});
}

static void calls_without_duration_take_their_place(void **state)
{
	(void)state;
	CHECK("+10+12-12(0)-10(10)+20+20!4-20(0)-20(3)", {0, 10, 20}, {0, 12, 12}, {0, 20, 23},
	      {0, 20, 20});
}

/* Memory for a hundred, given ten thousand, in many ways of nesting. */
static void self_times_add_up_to_the_time_of_the_outermost_calls(void **state)
{
	_cleanup_(nest_freep) struct nest *nest = NULL;
	struct nest_step step;
	struct why why = {0};
	int64_t self = 0, whole = 0;
	size_t depth = 0;
	int n = 0;

	(void)state;
	srand(3);
	assert_int_equal(nest_new(100 * sizeof(struct nest_item), &nest), 0);
	for (int i = 0; i < 10000; i++) { /* powers of two nest in each other */
		int64_t size = 1LL << (rand() % 12),
			start = rand() % 100 * 4096 + rand() % (4096 / size) * size;

		assert_int_equal(nest_add(nest,
					  &(struct nest_item){.start_ns = start,
							      .end_ns = start + size,
							      .lane = rand() % 3,
							      .number = i},
					  &why),
				 0);
	}
	while (nest_next(nest, &step, &why) > 0) {
		assert_int_equal(step.depth, step.what == NEST_ENTER ? depth : depth - 1);
		assert_int_not_equal(step.fault, NEST_STICKS_OUT);
		depth += step.what == NEST_ENTER ? 1 : -1;
		if (step.what == NEST_LEAVE) {
			assert_true(step.self_ns >= 0);
			self += step.self_ns;
			whole += step.depth == 0 ? step.item.end_ns - step.item.start_ns : 0;
			n++;
		}
	}
	assert_int_equal(n, 10000);
	assert_int_equal(self, whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_nest_whatever_order_they_come_in),
		cmocka_unit_test(threads_come_one_after_another_by_process),
		cmocka_unit_test(of_two_that_are_alike_the_later_one_is_the_outer_one),
		cmocka_unit_test(a_call_that_sticks_out_is_cut_and_told),
		cmocka_unit_test(points_lie_in_the_calls_that_are_open_then),
		cmocka_unit_test(calls_without_duration_take_their_place),
		cmocka_unit_test(self_times_add_up_to_the_time_of_the_outermost_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
