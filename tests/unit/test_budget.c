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
#define MANY 400

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
	struct cost_use copy[MANY + 1];

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

static void drop_steps(struct program *program)
{
	while (budget_next_step(program->budget, &(struct budget_step){0}))
		;
}

static void pause_function(struct program *program, const struct cost_use *use)
{
	for (int i = 0; i < 2; i++)
		judge(program, use, 1);
	drop_steps(program);
}

static void a_trial_that_fails_makes_the_next_one_wait_longer(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000), trial = use_of(7, 1, 2000, 0);
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
		assert_false(budget_take_trial(budget, program.now_ns, 5 * MS, &trial));
		last_wait_ns = wait_ns;
	}
	assert_no_step(&program);
}

static void a_calm_function_is_resumed_and_paused_at_once_if_it_was_not(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	const struct cost_use use = use_of(7, 1, 40000, 1000), trial = use_of(7, 1, 10, 0);
	enum budget_state limited;
	struct budget_step step;
	size_t cursor = 0;

	(void)state;
	pause_function(&program, &use);
	assert_true(budget_next_limited(budget, &cursor, &limited, &step));
	assert_int_equal(limited, BUDGET_PAUSED);
	assert_int_equal(step.joinpoint, 7);
	assert_true(budget_take_trial(budget, program.now_ns, 5 * MS, &trial));
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

/* Each 0.2% of the thread, whose probes take 80%. */
static void make_many(struct cost_use *uses)
{
	for (uint32_t i = 0; i < MANY; i++)
		uses[i] = use_of(1 + i, 1, 200, 1000);
}

static bool is_limited(const struct budget *budget, uint32_t joinpoint, enum budget_state at_least)
{
	enum budget_state limited;
	struct budget_step step;
	size_t cursor = 0;

	while (budget_next_limited(budget, &cursor, &limited, &step))
		if (step.joinpoint == joinpoint)
			return limited >= at_least;
	return false;
}

static unsigned int count_limited(const struct budget *budget, enum budget_state at_least)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < MANY; i++)
		n += is_limited(budget, 1 + i, at_least);
	return n;
}

/* Where all are called as ever: those that are paused cost nothing. */
static void judge_many(struct program *program, uint64_t n_calls)
{
	struct cost_use uses[MANY];
	size_t n = 0;

	for (uint32_t i = 0; i < MANY; i++)
		if (!is_limited(program->budget, 1 + i, BUDGET_PAUSED))
			uses[n++] = use_of(1 + i, 1, n_calls, 1000);
	judge(program, uses, n);
	drop_steps(program);
}

static void many_small_functions_that_are_too_much_together_are_limited(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;

	(void)state;
	judge_many(&program, 200);
	judge_many(&program, 200);
	/* 4.76% of the time are allowed, 0.2% is a function's */
	assert_in_range(MANY - count_limited(budget, BUDGET_PAUSED), 12, 4.76 / 0.2);
}

static void crumbs_are_left_alone(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use uses[] = {use_of(7, 1, 40000, 1000), use_of(8, 1, 100, 1000), use_of(9, 1, 50, 1000)};

	(void)state;
	for (int fixed = 0; fixed < 2; fixed++) {
		uses[0].may_limit = !fixed; /* then nothing helps */
		judge(&program, uses, 3);
		judge(&program, uses, 3);
		drop_steps(&program);
		assert_false(is_limited(budget, 8, BUDGET_SAMPLED));
		assert_false(is_limited(budget, 9, BUDGET_SAMPLED));
	}
	assert_true(is_limited(budget, 7, BUDGET_PAUSED));
}

static void what_is_resumed_finds_room_beside_the_others_of_its_thread(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	unsigned int n_resumed = 0;

	(void)state;
	judge_many(&program, 200);
	judge_many(&program, 200);
	for (int i = 0; i < 600; i++) { /* a minute */
		for (int k = 0; k < 50; k++) {
			const struct cost_use trial = use_of(budget_trial_due(budget, program.now_ns), 1, 5, 0); /* 0.1% */

			if (trial.joinpoint)
				n_resumed += budget_take_trial(budget, program.now_ns, 5 * MS, &trial);
			program.now_ns += 2 * MS;
		}
		judge_many(&program, 100);
		assert_true((MANY - count_limited(budget, BUDGET_PAUSED)) * 0.1 < 4.76);
	}
	assert_in_range(n_resumed, 10, 4.76 / 0.1);
}

static void many_that_fit_only_as_they_are_sampled_stay_so(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use uses[MANY];

	(void)state;
	make_many(uses);
	judge(&program, uses, MANY);
	drop_steps(&program);
	for (int i = 0; i < MANY; i++)
		uses[i].own_ns = uses[i].cost_ns = uses[i].cost_ns / 20; /* 4% */
	for (int i = 0; i < 30; i++)
		judge(&program, uses, MANY);
	assert_no_step(&program);
	assert_true(count_limited(budget, BUDGET_SAMPLED) > MANY * 9 / 10);
}

static void a_function_of_which_returns_alone_were_looked_at_is_not_calm_for_that(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use uses[MANY];
	const struct cost_use trial = use_of(1, 1, 2000, 0);

	(void)state;
	make_many(uses);
	for (int i = 0; i < MANY / 2; i++)
		uses[i].n_calls = 0;
	judge(&program, uses, MANY);
	judge(&program, uses, MANY);
	drop_steps(&program);
	program.now_ns += 2000 * MS;
	assert_true(is_limited(budget, 1, BUDGET_PAUSED));
	assert_false(budget_take_trial(budget, program.now_ns, 5 * MS, &trial));
}

static void trials_of_many_functions_are_paid_for_together_and_each_has_its_turn(void **state)
{
	struct program program = program_with(50);
	_cleanup_(budget_freep) struct budget *budget = program.budget;
	struct cost_use uses[8], trial;
	uint64_t spent_ns = 0, begin_ns;
	uint32_t tried = 0;

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		uses[i] = use_of(1 + i, 1, 10000, 1000);
	judge(&program, uses, 8);
	judge(&program, uses, 8);
	drop_steps(&program);
	begin_ns = program.now_ns;
	while (program.now_ns < begin_ns + 30000 * MS) {
		trial = use_of(budget_trial_due(budget, program.now_ns), 1, 4000, 0);
		if (trial.joinpoint) {
			assert_false(budget_take_trial(budget, program.now_ns, 5 * MS, &trial));
			spent_ns += 4 * MS;
			assert_true(tried == 0xff || !(tried & 1U << (trial.joinpoint - 1)));
			tried |= 1U << (trial.joinpoint - 1);
		}
		program.now_ns += 10 * MS;
		assert_true(spent_ns <= (program.now_ns - begin_ns) / 20 / 4 + 4 * MS);
	}
	assert_int_equal(tried, 0xff);
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
		cmocka_unit_test(many_small_functions_that_are_too_much_together_are_limited),
		cmocka_unit_test(crumbs_are_left_alone),
		cmocka_unit_test(what_is_resumed_finds_room_beside_the_others_of_its_thread),
		cmocka_unit_test(many_that_fit_only_as_they_are_sampled_stay_so),
		cmocka_unit_test(a_function_of_which_returns_alone_were_looked_at_is_not_calm_for_that),
		cmocka_unit_test(trials_of_many_functions_are_paid_for_together_and_each_has_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
