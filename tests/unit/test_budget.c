/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/budget.h"
#include "util/cleanup.h"

#define MS   1000000ULL
#define TICK BUDGET_TICK_NS

/* A program: what each of its calls costs, and how many there are in a tick while all are recorded. */
struct program {
	struct budget *budget;
	uint64_t now_ns;
};

static struct cost_use use_of(uint32_t joinpoint, uint32_t tid, uint64_t n_calls, uint64_t call_ns)
{
	return (struct cost_use){
		.joinpoint = joinpoint,
		.pid = 1,
		.tid = tid,
		.n_calls = n_calls,
		.own_ns = n_calls * call_ns,
		.cost_ns = n_calls * call_ns,
		.may_limit = true,
	};
}

static void judge(struct program *program, const struct cost_use *uses, size_t n)
{
	struct cost_use copy[8];

	memcpy(copy, uses, n * sizeof(*uses));
	program->now_ns += TICK;
	assert_int_equal(budget_judge(program->budget, program->now_ns, TICK, copy, n), 0);
}

/* The one step that is due. */
static struct budget_step take_step(struct program *program)
{
	struct budget_step step, none;

	assert_true(budget_next_step(program->budget, &step));
	assert_false(budget_next_step(program->budget, &none));
	return step;
}

static void assert_no_step(struct program *program)
{
	struct budget_step step;

	assert_false(budget_next_step(program->budget, &step));
}

static struct program program_with(unsigned int permille)
{
	struct program program = {.now_ns = 1000 * MS};

	assert_int_equal(budget_new(permille, &program.budget), 0);
	return program;
}

static void what_fits_is_left_alone(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 4000, 1000); /* 4% */

	(void)state;
	for (int i = 0; i < 50; i++)
		judge(&program, &use, 1);
	assert_no_step(&program);
}

static void a_hot_function_is_sampled_and_then_paused(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000); /* 40% */
	struct budget_step step;

	(void)state;
	judge(&program, &use, 1);
	step = take_step(&program);
	assert_int_equal(step.change, BUDGET_SAMPLES);
	assert_int_equal(step.joinpoint, 7);
	assert_int_equal(step.tid, 1);
	assert_int_equal(step.permille, 400);
	assert_int_equal(step.calls_per_s, 400000);
	assert_int_equal(step.call_ns, 1000);
	judge(&program, &use, 1);
	assert_int_equal(take_step(&program).change, BUDGET_PAUSES);
	judge(&program, &use, 1); /* what came before the probes were gone */
	assert_no_step(&program);
}

static void the_dearest_functions_of_the_thread_that_is_past_it_are_limited(void **state)
{
	struct program program = program_with(100);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use uses[] = {
		use_of(1, 1, 1000, 1000), use_of(2, 1, 30000, 1000), use_of(3, 1, 500, 1000),
		use_of(4, 2, 8000, 1000), /* of a thread that keeps it */
	};

	(void)state;
	judge(&program, uses, 4);
	judge(&program, uses, 4);
	assert_true(budget_next_step(program.budget, &(struct budget_step){0}));
	assert_int_equal(take_step(&program).joinpoint, 2);
}

static void without_a_budget_it_is_told_once_and_nothing_changes(void **state)
{
	struct program program = program_with(0);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use uses[] = {use_of(7, 1, 40000, 1000), use_of(8, 1, 10, 1000), use_of(9, 2, 9000, 1000)};
	struct budget_step step;

	(void)state;
	for (int i = 0; i < 5; i++)
		judge(&program, uses, 3);
	step = take_step(&program);
	assert_int_equal(step.change, BUDGET_TOLD);
	assert_int_equal(step.joinpoint, 7);
	assert_int_equal(step.permille, 400);
	for (int i = 0; i < 20; i++)
		judge(&program, uses, 3);
	assert_no_step(&program);
}

static void pause_function(struct program *program, const struct cost_use *use)
{
	for (int i = 0; i < 2; i++)
		judge(program, use, 1);
	while (budget_next_step(program->budget, &(struct budget_step){0}))
		;
}

static void a_trial_that_fails_makes_the_next_one_wait_longer(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000);
	uint64_t last_wait_ns = 0, wait_ns;

	(void)state;
	pause_function(&program, &use);
	for (int i = 0; i < 5; i++) {
		wait_ns = 0;
		assert_int_equal(budget_trial_due(budget, program.now_ns), 0);
		while (!budget_trial_due(budget, program.now_ns + wait_ns))
			wait_ns += 10 * MS;
		assert_true(wait_ns + 20 * MS >= 2 * last_wait_ns);
		/* 2 ms of 5: less than a quarter of the budget of the time until then */
		assert_true(2 * MS * 4 <= (wait_ns + 10 * MS) / 20);
		program.now_ns += wait_ns;
		assert_false(budget_take_trial(budget, 7, program.now_ns, 5 * MS, 1, 1, 2000));
		last_wait_ns = wait_ns;
	}
	assert_no_step(&program);
}

static void a_calm_function_is_resumed_and_paused_at_once_if_it_was_not(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000);
	enum budget_state limited;
	struct budget_step step;
	size_t cursor = 0;

	(void)state;
	pause_function(&program, &use);
	assert_true(budget_next_limited(budget, &cursor, &limited, &step));
	assert_int_equal(limited, BUDGET_PAUSED);
	assert_int_equal(step.joinpoint, 7);
	assert_true(budget_take_trial(budget, 7, program.now_ns, 5 * MS, 1, 1, 10));
	assert_int_equal(take_step(&program).change, BUDGET_RESUMES);
	cursor = 0;
	assert_false(budget_next_limited(budget, &cursor, &limited, &step));
	judge(&program, &use, 1);
	assert_int_equal(take_step(&program).change, BUDGET_PAUSES);
	assert_int_equal(budget_trial_due(budget, program.now_ns + 2 * TICK * 4), 0);
}

static void a_sampled_function_that_calms_down_is_recorded_again(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use hot = use_of(7, 1, 40000, 1000), calm = use_of(7, 1, 10, 1000);

	(void)state;
	judge(&program, &hot, 1);
	assert_int_equal(take_step(&program).change, BUDGET_SAMPLES);
	for (int i = 0; i < 10; i++) {
		assert_no_step(&program);
		judge(&program, &calm, 1);
	}
	judge(&program, &calm, 1);
	assert_int_equal(take_step(&program).change, BUDGET_RESUMES);
}

static void what_cannot_be_paused_stays_sampled_and_is_not_asked_for_all_the_time(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000);
	enum budget_state limited;
	struct budget_step step;
	size_t cursor = 0;

	(void)state;
	judge(&program, &use, 1);
	take_step(&program);
	judge(&program, &use, 1);
	step = take_step(&program);
	assert_int_equal(step.change, BUDGET_PAUSES);
	budget_refuse(budget, &step, program.now_ns);
	for (int i = 0; i < 5; i++)
		judge(&program, &use, 1);
	assert_no_step(&program);
	assert_true(budget_next_limited(budget, &cursor, &limited, &step));
	assert_int_equal(limited, BUDGET_SAMPLED);
	assert_int_equal(budget_trial_due(budget, UINT64_MAX), 0);
}

static void what_belongs_together_with_others_is_told_of_and_not_limited(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use use = use_of(7, 1, 40000, 1000);

	(void)state;
	use.may_limit = false;
	for (int i = 0; i < 5; i++)
		judge(&program, &use, 1);
	assert_int_equal(take_step(&program).change, BUDGET_TOLD);
}

static void the_end_tells_of_a_short_session(void **state)
{
	struct program program = program_with(0);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use use = use_of(7, 1, 80000, 1000);

	(void)state;
	assert_int_equal(budget_judge_last(budget, 2 * TICK, &use, 1), 0);
	assert_int_equal(take_step(&program).change, BUDGET_TOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_left_alone),
		cmocka_unit_test(a_hot_function_is_sampled_and_then_paused),
		cmocka_unit_test(the_dearest_functions_of_the_thread_that_is_past_it_are_limited),
		cmocka_unit_test(without_a_budget_it_is_told_once_and_nothing_changes),
		cmocka_unit_test(a_trial_that_fails_makes_the_next_one_wait_longer),
		cmocka_unit_test(a_calm_function_is_resumed_and_paused_at_once_if_it_was_not),
		cmocka_unit_test(a_sampled_function_that_calms_down_is_recorded_again),
		cmocka_unit_test(what_cannot_be_paused_stays_sampled_and_is_not_asked_for_all_the_time),
		cmocka_unit_test(what_belongs_together_with_others_is_told_of_and_not_limited),
		cmocka_unit_test(the_end_tells_of_a_short_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
