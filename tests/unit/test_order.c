/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "trace/order.h"

static int push(struct order *order, unsigned int ring, uint64_t order_ns, uint32_t joinpoint)
{
	struct event event = {.order_ns = order_ns,
			      .header = {.kind = PF_EVENT_MARK, .joinpoint = joinpoint}};

	return order_push(order, ring, &event);
}

static void check_pop(struct order *order, uint64_t now_ns, uint64_t order_ns)
{
	const struct event *event;

	assert_int_equal(order_pop(order, now_ns, &event), 1);
	assert_int_equal(event->order_ns, order_ns);
}

static void check_none(struct order *order, uint64_t now_ns)
{
	const struct event *event = NULL;

	assert_int_equal(order_pop(order, now_ns, &event), 0);
	assert_null(event);
}

static void records_of_two_rings_come_out_in_order_of_time(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(2, 10, 8, &order), 0);
	assert_int_equal(push(order, 0, 20, 0), 0);
	assert_int_equal(push(order, 1, 15, 0), 0);
	assert_int_equal(push(order, 0, 25, 0), 0);
	assert_int_equal(order_count(order), 3);
	check_pop(order, 100, 15);
	check_pop(order, 100, 20);
	check_pop(order, 100, 25);
	check_none(order, 100);
	assert_int_equal(order_n_late(order), 0);
	assert_int_equal(order_n_early(order), 0);
}

static void a_record_waits_for_its_window(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(1, 10, 8, &order), 0);
	assert_int_equal(push(order, 0, 100, 0), 0);
	check_none(order, 0);
	check_none(order, 99);
	check_none(order, 109);
	check_pop(order, 110, 100);
}

static void at_the_end_all_go(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(3, UINT64_MAX, 8, &order), 0);
	assert_int_equal(push(order, 2, UINT64_MAX, 0), 0);
	assert_int_equal(push(order, 1, 7, 0), 0);
	check_none(order, UINT64_MAX - 1);
	check_pop(order, UINT64_MAX, 7);
	check_pop(order, UINT64_MAX, UINT64_MAX);
	check_none(order, UINT64_MAX);
}

static void the_oldest_goes_out_early_when_too_many_are_held(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(2, 1000, 2, &order), 0);
	assert_int_equal(push(order, 0, 3, 0), 0);
	assert_int_equal(push(order, 1, 1, 0), 0);
	check_none(order, 5);
	assert_int_equal(push(order, 0, 5, 0), 0);
	check_pop(order, 5, 1);
	check_none(order, 5);
	assert_int_equal(order_n_early(order), 1);
}

static void a_late_record_is_delivered_and_counted(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(2, 10, 8, &order), 0);
	assert_int_equal(push(order, 0, 50, 0), 0);
	check_pop(order, 60, 50);
	assert_int_equal(push(order, 1, 50, 0), 0); /* as old is not late */
	assert_int_equal(push(order, 1, 40, 0), 0);
	assert_int_equal(push(order, 1, 60, 0), 0);
	check_pop(order, 61, 40);
	check_pop(order, 61, 50);
	check_none(order, 61);
	assert_int_equal(order_n_late(order), 1);
}

static void records_of_one_moment_keep_the_order_of_their_ring(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;
	const struct event *event;

	(void)state;
	assert_int_equal(order_new(1, 0, 8, &order), 0);
	assert_int_equal(push(order, 0, 9, 100), 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(push(order, 0, 7, i), 0);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(order_pop(order, 10, &event), 1);
		assert_int_equal(event->header.joinpoint, i);
	}
}

static void check_many(unsigned int n_rings)
{
	_cleanup_(order_freep) struct order *order = NULL;
	const struct event *event;
	size_t n_pushed = 0, n_popped = 0;
	uint64_t now_ns = 1000, last_ns = 0;

	/* rings are out of order by less than 200, and the window is 200 */
	assert_int_equal(order_new(n_rings, 200, 1 << 20, &order), 0);
	srand(n_rings);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 100; i++, n_pushed++)
			assert_int_equal(push(order, rand() % n_rings, now_ns++ - rand() % 200, 0),
					 0);
		for (; order_pop(order, round < 199 ? now_ns : UINT64_MAX, &event) > 0;
		     n_popped++) {
			assert_true(event->order_ns >= last_ns);
			last_ns = event->order_ns;
		}
	}
	assert_int_equal(n_popped, n_pushed);
	assert_int_equal(order_count(order), 0);
	assert_int_equal(order_n_late(order), 0);
}

static void any_number_of_rings_gives_one_sorted_stream(void **state)
{
	static const unsigned int counts[] = {1, 2, 3, 4, 5, 7, 8, 13, 33, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		check_many(counts[i]);
}

static int push_process(struct order *order, uint64_t order_ns)
{
	struct event event = {.order_ns = order_ns, .header = {.kind = PF_EVENT_PROCESS}};
	int r;

	event.process = calloc(1, sizeof(*event.process));
	assert_non_null(event.process);
	event.process->start_ns = order_ns;
	r = order_push(order, 0, &event);
	if (r < 0)
		event_done(&event);
	return r;
}

/* The address sanitizer sees what is freed twice, too early or never. */
static void a_process_lives_until_the_next_pop(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;
	const struct event *event;

	(void)state;
	assert_int_equal(order_new(1, 0, 8, &order), 0);
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(push_process(order, i), 0);
	assert_int_equal(order_pop(order, 10, &event), 1);
	assert_int_equal(event->process->start_ns, 1);
	assert_int_equal(order_pop(order, 10, &event), 1);
	assert_int_equal(event->process->start_ns, 2);
}

static void items_live_as_long_as_their_span(void **state)
{
	struct event event = {.header = {.kind = PF_EVENT_SPAN,
					 .size = sizeof(struct pf_span) + sizeof(struct pf_item)}};
	_cleanup_(order_freep) struct order *order = NULL;
	const struct event *popped;

	(void)state;
	assert_int_equal(order_new(1, 0, 8, &order), 0);
	for (unsigned int i = 1; i <= 4; i++) {
		event.order_ns = i;
		event.items = calloc(1, sizeof(*event.items));
		assert_non_null(event.items);
		event.items->index = i;
		assert_int_equal(order_push(order, 0, &event), 0);
	}
	for (unsigned int i = 1; i <= 2; i++) {
		assert_int_equal(order_pop(order, 10, &popped), 1);
		assert_int_equal(event_next_item(popped, NULL)->index, i);
	}
	event.items = NULL;
	event.order_ns = 5;
	assert_int_equal(order_push(order, 0, &event), 0);
}

static void a_ring_that_is_not_there_is_refused(void **state)
{
	_cleanup_(order_freep) struct order *order = NULL;

	(void)state;
	assert_int_equal(order_new(0, 0, 8, &order), -EINVAL);
	assert_int_equal(order_new(3, 0, 8, &order), 0);
	assert_int_equal(push(order, 3, 1, 0), -EINVAL);
	assert_int_equal(order_count(order), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_two_rings_come_out_in_order_of_time),
		cmocka_unit_test(a_record_waits_for_its_window),
		cmocka_unit_test(at_the_end_all_go),
		cmocka_unit_test(the_oldest_goes_out_early_when_too_many_are_held),
		cmocka_unit_test(a_late_record_is_delivered_and_counted),
		cmocka_unit_test(records_of_one_moment_keep_the_order_of_their_ring),
		cmocka_unit_test(any_number_of_rings_gives_one_sorted_stream),
		cmocka_unit_test(a_process_lives_until_the_next_pop),
		cmocka_unit_test(items_live_as_long_as_their_span),
		cmocka_unit_test(a_ring_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
