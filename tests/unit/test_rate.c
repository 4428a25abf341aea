/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Up to when a user's share is taken is in a map of the kernel: where this may not be made, the tests skip. */
#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "probe/rate.h"
#include "util/now.h"

#define USER	54321
#define ANOTHER 54322

static const uint32_t key;

static struct rate *joined(uid_t uid)
{
	struct rate *rate;
	int r = rate_join(uid, &rate);

	if (r == -EPERM)
		skip();
	assert_int_equal(r, 0);
	return rate;
}

static uint64_t taken_ns(const struct rate *rate)
{
	uint64_t until_ns;

	assert_int_equal(bpf_map_lookup_elem(rate_fd(rate), &key, &until_ns), 0);
	return until_ns;
}

static void take(const struct rate *rate, uint64_t until_ns)
{
	assert_int_equal(bpf_map_update_elem(rate_fd(rate), &key, &until_ns, BPF_ANY), 0);
}

static void sessions_of_a_user_share_what_those_of_others_do_not(void **state)
{
	struct rate *first = joined(USER), *second = joined(USER), *another = joined(ANOTHER);

	(void)state;
	take(first, 7);
	assert_int_equal(taken_ns(second), 7);
	assert_int_equal(taken_ns(another), 0);
	rate_leave(first);
	take(second, 8);
	assert_int_equal(taken_ns(second), 8);
	rate_leave(second);
	rate_leave(another);
}

static void who_begins_again_has_taken_what_was_taken(void **state)
{
	uint64_t later_ns = clock_now_ns(CLOCK_BOOTTIME) + 3600000000000ULL;
	struct rate *rate = joined(USER);

	(void)state;
	take(rate, later_ns);
	rate_leave(rate);
	rate = joined(USER);
	assert_int_equal(taken_ns(rate), later_ns);
	take(rate, 1);
	rate_leave(rate);
}

static void what_is_over_is_forgotten_and_no_descriptor_is_left(void **state)
{
	struct rate *rate = joined(USER);
	int fd = rate_fd(rate);

	(void)state;
	take(rate, 1);
	rate_leave(rate);
	rate = joined(ANOTHER);
	assert_int_equal(rate_fd(rate), fd);
	rate_leave(rate);
	rate = joined(USER);
	assert_int_equal(taken_ns(rate), 0);
	rate_leave(rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_of_a_user_share_what_those_of_others_do_not),
		cmocka_unit_test(who_begins_again_has_taken_what_was_taken),
		cmocka_unit_test(what_is_over_is_forgotten_and_no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
