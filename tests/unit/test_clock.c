/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trace/clock.h"

static void the_narrower_snapshot_is_kept(void **state)
{
	struct clock_snapshot best = {};
	struct clock_snapshot wide = {.boot_ns = 10, .real_ns = 1000, .width_ns = 50};
	struct clock_snapshot narrow = {.boot_ns = 20, .real_ns = 1011, .width_ns = 5};

	(void)state;
	clock_snapshot_better(&best, &wide);
	assert_int_equal(best.boot_ns, 10);
	clock_snapshot_better(&best, &narrow);
	assert_int_equal(best.boot_ns, 20);
	clock_snapshot_better(&best, &wide);
	assert_int_equal(best.real_ns, 1011);
}

static void boot_time_becomes_wall_clock_time_before_and_after_the_snapshot(void **state)
{
	struct clock_snapshot snapshot = {.boot_ns = 5000, .real_ns = 1764826008566290123ULL};

	(void)state;
	assert_true(clock_real_ns(&snapshot, 5000) == 1764826008566290123ULL);
	assert_true(clock_real_ns(&snapshot, 6000) == 1764826008566291123ULL);
	assert_true(clock_real_ns(&snapshot, 4000) == 1764826008566289123ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_narrower_snapshot_is_kept),
		cmocka_unit_test(boot_time_becomes_wall_clock_time_before_and_after_the_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
