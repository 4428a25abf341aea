/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/budget.h - which functions cost more than they may, and what becomes of them
 *
 * A function that takes a thread past its budget is sampled, then paused: its probes are taken away. After a while that grows
 * with each failure it is tried: where few calls are seen, it is resumed. This decides, and touches nothing.
 */
#ifndef PERFFLOW_PROBE_BUDGET_H
#define PERFFLOW_PROBE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/cost.h"
#include "util/cleanup.h"

struct budget;

#define BUDGET_TELL_PERMILLE 100 /* of a thread's time: past it the user is told, whatever the budget */
#define BUDGET_SAMPLE	     16	 /* one call in so many is recorded of a function that is sampled */
#define BUDGET_TICK_NS	     100000000ULL /* how often it is asked */
#define BUDGET_TELL_NS	     500000000ULL /* what is told of is judged over that time */
#define BUDGET_TRIAL_NS	     5000000ULL

enum budget_state { BUDGET_FULL, BUDGET_SAMPLED, BUDGET_PAUSED };

enum budget_change {
	BUDGET_TOLD,	/* nothing changes: it costs much */
	BUDGET_SAMPLES, /* it becomes BUDGET_SAMPLED, */
	BUDGET_PAUSES,	/* BUDGET_PAUSED, */
	BUDGET_RESUMES, /* BUDGET_FULL again */
	BUDGET_N_CHANGES
};

/* With the thread that it costs most, and how much of its time that was just before. */
struct budget_step {
	enum budget_change change;
	uint32_t joinpoint, pid, tid;
	unsigned int permille;
	uint64_t calls_per_s, call_ns;
	uint64_t since_ns; /* of BUDGET_RESUMES: when it was first limited */
};

/* permille of a thread's time, or 0: nothing is limited, the user is told all the same. */
int budget_new(unsigned int permille, struct budget **ret_budget);
void budget_free(struct budget *budget);
DEFINE_CLEANUP(struct budget, budget_free)

/*
 * Judges what the threads' probes have cost since the last time, which was window_ns ago; uses is put into another order. What
 * has to happen comes from budget_next_step() then.
 */
int budget_judge(struct budget *budget, uint64_t now_ns, uint64_t window_ns, struct cost_use *uses, size_t n_uses);

/* At the end: what has not been told yet. */
int budget_judge_last(struct budget *budget, uint64_t window_ns, struct cost_use *uses, size_t n_uses);

/* false: there is none left. What can not be done: budget_refuse(), which has it as it was. */
bool budget_next_step(struct budget *budget, struct budget_step *ret_step);
void budget_refuse(struct budget *budget, const struct budget_step *step, uint64_t now_ns);

/* The paused function whose trial has been due for longest, or 0. */
uint32_t budget_trial_due(const struct budget *budget, uint64_t now_ns);

/* Whether the calls of a thread in window_ns are too many for their function to be resumed. */
bool budget_is_too_much(const struct budget *budget, uint64_t window_ns, const struct cost_use *use);

/*
 * What a trial has shown: calls of the thread that made most of them, in window_ns (0: it did not work). True: the function is to
 * be resumed, a step.
 */
bool budget_take_trial(struct budget *budget, uint64_t now_ns, uint64_t window_ns, const struct cost_use *busiest);

/* Walks over the functions that are limited: start with *cursor 0. The step is the one that led there. */
bool budget_next_limited(const struct budget *budget, size_t *cursor, enum budget_state *ret_state,
			 struct budget_step *ret_step);

const char *budget_change_name(enum budget_change change); /* "costly", "sampled", "paused", "resumed" */

#endif
