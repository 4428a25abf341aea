/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is noted arrives in the trace, or is counted there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "session/ledger.h"

#define N_NOTES 50000 /* more than a pipe holds */

struct counting {
	struct sink sink;
	uint64_t n_late, n_steps;
	struct sink_loss dropped; /* its sum and its last times */
};

static int count_loss(struct sink *sink, const struct sink_loss *loss)
{
	struct counting *counting = (struct counting *)sink;
	uint64_t n_dropped = counting->dropped.n;

	if (strcmp(loss->reason, "notes") != 0) {
		counting->n_late++;
		return 0;
	}
	counting->dropped = *loss;
	counting->dropped.n += n_dropped;
	return 0;
}

static int count_step(struct sink *sink, const struct sink_step *step)
{
	((struct counting *)sink)->n_steps += step->time_ns > 0;
	return 0;
}

static const struct sink_ops counting_ops = { .loss = count_loss, .step = count_step };

static void note(struct ledger *ledger, uint64_t begin_ns, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		ledger_note_loss(ledger, &(struct sink_loss){ .reason = "late_weaving", .n = 1, .begin_ns = begin_ns + i, .end_ns = begin_ns + i + 7 });
}

static void what_finds_room_arrives_and_nothing_is_said_to_lack(void **state)
{
	struct counting counting = { .sink.ops = &counting_ops };
	_cleanup_(ledger_freep) struct ledger *ledger = NULL;

	(void)state;
	assert_int_equal(ledger_new(NULL, NULL, &ledger), 0);
	note(ledger, 1000, 100);
	ledger_note_step(ledger, &(struct sink_step){ .time_ns = 1 });
	assert_int_equal(ledger_write(ledger, &counting.sink, 1, 0, false), 0);
	assert_int_equal(counting.n_late, 100);
	assert_int_equal(counting.n_steps, 1);
	assert_int_equal(counting.dropped.n, 0);
	assert_int_equal(ledger_n_dropped(ledger), 0);
}

static void what_finds_no_room_is_counted_with_its_times(void **state)
{
	struct counting counting = { .sink.ops = &counting_ops };
	_cleanup_(ledger_freep) struct ledger *ledger = NULL;

	(void)state;
	assert_int_equal(ledger_new(NULL, NULL, &ledger), 0);
	note(ledger, 1000, N_NOTES);
	assert_int_equal(ledger_write(ledger, &counting.sink, 1, 0, false), 0);
	assert_true(counting.dropped.n > 0 && counting.n_late > 0);
	assert_int_equal(counting.n_late + counting.dropped.n, N_NOTES);
	assert_int_equal(ledger_n_dropped(ledger), counting.dropped.n);
	assert_int_equal(counting.dropped.begin_ns, 1000 + counting.n_late);
	assert_int_equal(counting.dropped.end_ns, 1000 + N_NOTES - 1 + 7);

	note(ledger, 100000, N_NOTES); /* only what came since is told of again */
	assert_int_equal(ledger_write(ledger, &counting.sink, 2, 0, true), 0);
	assert_int_equal(counting.n_late + counting.dropped.n, 2 * N_NOTES);
	assert_int_equal(counting.dropped.end_ns, 100000 + N_NOTES - 1 + 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_finds_room_arrives_and_nothing_is_said_to_lack),
		cmocka_unit_test(what_finds_no_room_is_counted_with_its_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
