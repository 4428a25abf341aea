/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A thread is past its budget where it would run that much shorter without its probes. Then its dearest functions are limited,
 * each for all threads, until what is left fits.
 *
 * What is limited to keep a program fast must not be looked at so often that this makes it slow: all trials together may use a
 * quarter of the budget, and so may a function that was resumed too early. So the time to the next trial grows with what the
 * last one has cost, and doubles with each that fails. What a function costs before it is limited for the first time is not held
 * against it.
 *
 * Many functions may each cost next to nothing, and too much together: each would be calm if it were looked at alone. So what is
 * resumed has to find room in its thread beside the others, or they would all come and go together.
 */
#include "probe/budget.h"

#include <errno.h>
#include <stdlib.h>

#include "util/hash.h"
#include "util/text.h"

#define TELL_MIN_NS	100000000ULL /* at the end it may be less */
#define TELL_EACH	50	     /* permille: the dearest function of a thread is told of, and each past this */
#define MAX_TOLD	64
#define CALM_NS		1000000000ULL /* a sampled function that is calm for so long is resumed */
#define MIN_WAIT_NS	1000000000ULL
#define LEAST_SHARE	20 /* of what is allowed: what costs less is left alone, unless there are many of them */
#define FEW_CALLS	1000 /* in which some ten hits were looked at */
#define MAX_LEVEL	6
#define FORGIVE_NS	30000000000ULL /* one that is well behaved for so long begins anew */

struct function {
	uint32_t joinpoint;
	enum budget_state state;
	uint64_t since_ns;   /* it is in that state */
	uint64_t limited_ns; /* since it is not full any more */
	uint64_t call_ns;    /* what a call costs that is recorded */
	uint64_t spent_ns;   /* by the thread that it costs most, since it was resumed last */
	uint64_t busy_ns;    /* when its calls would have taken more than half of the budget last */
	uint64_t trial_ns;   /* when the next trial is due */
	unsigned int level;  /* trials that failed, and resumptions that did */
	bool was_resumed;
	struct budget_step last;
};

struct budget {
	unsigned int permille;
	struct hash functions; /* join point -> struct function, owned */
	struct hash rates; /* by thread, of nanoseconds in a second: what is left to its probes */
	uint64_t trials_ns; /* when trials have been paid for, and there may be another */
	struct budget_step *steps;
	size_t n_steps, next_step;
	struct cost_use *told_uses; /* summed up since the last judgement */
	size_t n_told_uses;
	struct hash told_index; /* of those, 1 + index by join point and thread */
	uint64_t told_window_ns;
	struct hash told; /* a set, by join point and process */
	unsigned int n_told;
};

const char *budget_change_name(enum budget_change change)
{
	static const char *const names[BUDGET_N_CHANGES] = {
		[BUDGET_TOLD] = "costly", [BUDGET_SAMPLES] = "sampled", [BUDGET_PAUSES] = "paused", [BUDGET_RESUMES] = "resumed",
	};

	return change < BUDGET_N_CHANGES ? names[change] : NULL;
}

int budget_new(unsigned int permille, struct budget **ret_budget)
{
	struct budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return -ENOMEM;
	budget->permille = permille;
	*ret_budget = budget;
	return 0;
}

void budget_free(struct budget *budget)
{
	struct function *function;
	size_t cursor = 0;

	if (!budget)
		return;
	while ((function = hash_next(&budget->functions, &cursor, NULL)))
		free(function);
	hash_done(&budget->functions);
	hash_done(&budget->rates);
	hash_done(&budget->told_index);
	hash_done(&budget->told);
	free(budget->told_uses);
	free(budget->steps);
	free(budget);
}

static struct function *find_function(struct budget *budget, uint32_t joinpoint)
{
	struct function *function = hash_find(&budget->functions, joinpoint);

	if (function)
		return function;
	function = calloc(1, sizeof(*function));
	if (!function)
		return NULL;
	function->joinpoint = joinpoint;
	if (hash_put(&budget->functions, joinpoint, function) < 0) {
		free(function);
		return NULL;
	}
	return function;
}

static unsigned int permille_of(uint64_t part_ns, uint64_t whole_ns)
{
	return part_ns >= whole_ns ? 1000 : part_ns * 1000 / whole_ns;
}

/* What the budget leaves of a time: without the probes the program would have needed less of it. */
static uint64_t allowed_ns(const struct budget *budget, uint64_t window_ns)
{
	return window_ns * budget->permille / (1000 + budget->permille);
}

/* As much of it is filled again by what is resumed: the rest is for what varies. */
static uint64_t room_ns(const struct budget *budget, uint64_t window_ns)
{
	return allowed_ns(budget, window_ns) * 3 / 4;
}

static int add_step(struct budget *budget, const struct budget_step *step)
{
	int r = array_grow(&budget->steps, budget->n_steps, sizeof(*budget->steps));

	if (r >= 0)
		budget->steps[budget->n_steps++] = *step;
	return r;
}

static struct budget_step make_step(enum budget_change change, const struct cost_use *use, uint64_t window_ns)
{
	return (struct budget_step){
		.change = change,
		.joinpoint = use->joinpoint,
		.pid = use->pid,
		.tid = use->tid,
		.permille = permille_of(use->cost_ns, window_ns),
		.calls_per_s = (unsigned __int128)use->n_calls * 1000000000 / window_ns,
		.call_ns = use->n_calls ? use->own_ns / use->n_calls : 0,
	};
}

/* Telling */

static int compare_uses(const void *a, const void *b)
{
	const struct cost_use *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->cost_ns > y->cost_ns ? -1 : x->cost_ns < y->cost_ns;
}

/* Sorts them, and returns how many from `first` on are of one thread; their sum in *ret_ns. */
static size_t thread_uses(const struct cost_use *uses, size_t n, size_t first, uint64_t *ret_ns)
{
	size_t i;

	*ret_ns = 0;
	for (i = first; i < n && uses[i].tid == uses[first].tid; i++)
		*ret_ns += uses[i].cost_ns;
	return i - first;
}

static int sum_up(struct budget *budget, const struct cost_use *use)
{
	uint64_t key = (uint64_t)use->joinpoint << 32 | use->tid;
	size_t known = (uintptr_t)hash_find(&budget->told_index, key);
	int r;

	if (!use->cost_ns)
		return 0;
	if (known) {
		budget->told_uses[known - 1].cost_ns += use->cost_ns;
		budget->told_uses[known - 1].own_ns += use->own_ns;
		budget->told_uses[known - 1].n_calls += use->n_calls;
		return 0;
	}
	r = array_grow(&budget->told_uses, budget->n_told_uses, sizeof(*use));
	if (r < 0)
		return r;
	budget->told_uses[budget->n_told_uses++] = *use;
	return hash_put(&budget->told_index, key, (void *)(uintptr_t)budget->n_told_uses);
}

static bool is_limited(const struct budget *budget, uint32_t joinpoint)
{
	const struct function *function = hash_find(&budget->functions, joinpoint);

	return function && function->state != BUDGET_FULL;
}

static int tell(struct budget *budget, const struct cost_use *use)
{
	uint64_t key = (uint64_t)use->joinpoint << 32 | use->pid;
	struct budget_step step = make_step(BUDGET_TOLD, use, budget->told_window_ns);
	int r;

	if (budget->n_told == MAX_TOLD || hash_find(&budget->told, key) || is_limited(budget, use->joinpoint))
		return 0;
	budget->n_told++;
	r = hash_put(&budget->told, key, budget);
	return r < 0 ? r : add_step(budget, &step);
}

static int tell_all(struct budget *budget)
{
	uint64_t window_ns = budget->told_window_ns, sum_ns;
	struct cost_use *uses = budget->told_uses;
	size_t n = budget->n_told_uses, n_thread;
	int r = 0;

	if (n)
		qsort(uses, n, sizeof(*uses), compare_uses);
	for (size_t i = 0; i < n && r >= 0; i += n_thread) {
		n_thread = thread_uses(uses, n, i, &sum_ns);
		if (permille_of(sum_ns, window_ns) <= BUDGET_TELL_PERMILLE)
			continue;
		for (size_t k = i; k < i + n_thread && r >= 0; k++)
			if (k == i || permille_of(uses[k].cost_ns, window_ns) > TELL_EACH)
				r = tell(budget, &uses[k]);
	}
	hash_done(&budget->told_index);
	budget->told_index = (struct hash){ 0 };
	budget->n_told_uses = 0;
	budget->told_window_ns = 0;
	return r;
}

static int judge_tellable(struct budget *budget, uint64_t window_ns, const struct cost_use *uses, size_t n, uint64_t least_ns)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sum_up(budget, &uses[i]);
	budget->told_window_ns += window_ns;
	return r >= 0 && budget->told_window_ns >= least_ns ? tell_all(budget) : r;
}

/* Limiting */

/* How long it takes until so much is a quarter of the budget. */
static uint64_t paid_ns(const struct budget *budget, uint64_t spent_ns)
{
	return spent_ns * 4 * 1000 / budget->permille;
}

static void wait_for_trial(const struct budget *budget, struct function *function, uint64_t now_ns, uint64_t spent_ns)
{
	uint64_t wait_ns = MIN_WAIT_NS << function->level, paid = paid_ns(budget, spent_ns);

	function->trial_ns = now_ns + (wait_ns > paid ? wait_ns : paid);
}

static int change(struct budget *budget, struct function *function, enum budget_change change, uint64_t now_ns,
		  struct budget_step step)
{
	static const enum budget_state states[] = {
		[BUDGET_SAMPLES] = BUDGET_SAMPLED, [BUDGET_PAUSES] = BUDGET_PAUSED, [BUDGET_RESUMES] = BUDGET_FULL
	};

	if (function->state == BUDGET_FULL)
		function->limited_ns = now_ns;
	function->state = states[change];
	function->since_ns = function->busy_ns = now_ns;
	step.change = change;
	step.joinpoint = function->joinpoint;
	step.since_ns = function->limited_ns;
	if (change != BUDGET_RESUMES)
		function->last = step;
	return add_step(budget, &step);
}

static int pause_function(struct budget *budget, struct function *function, uint64_t now_ns, struct budget_step step)
{
	bool is_again = function->was_resumed;

	if (is_again && function->level < MAX_LEVEL)
		function->level++;
	wait_for_trial(budget, function, now_ns, is_again ? function->spent_ns : 0);
	return change(budget, function, BUDGET_PAUSES, now_ns, step);
}

/* What the thread is spared by it, if it is enough: *ret_spared_ns. If not, the next tick goes further. */
static int limit_use(struct budget *budget, const struct cost_use *use, uint64_t now_ns, uint64_t window_ns, uint64_t *ret_spared_ns)
{
	struct function *function = find_function(budget, use->joinpoint);
	struct budget_step step = make_step(BUDGET_SAMPLES, use, window_ns);

	*ret_spared_ns = 0;
	if (!function)
		return -ENOMEM;
	*ret_spared_ns = use->cost_ns;
	if (function->since_ns > now_ns) /* refused: it does not help to limit others for it */
		return 0;
	if (function->since_ns == now_ns || function->state == BUDGET_PAUSED) /* another thread has seen to it */
		return 0;
	if (function->state == BUDGET_SAMPLED && function->since_ns + BUDGET_TICK_NS / 2 > now_ns)
		return 0;
	if (function->state == BUDGET_FULL && !function->was_resumed) {
		function->call_ns = step.call_ns;
		return change(budget, function, BUDGET_SAMPLES, now_ns, step);
	}
	return pause_function(budget, function, now_ns, step);
}

/*
 * The dearest first, and more than need be, so that it is not past the budget again at once. Small ones count where many of
 * them are too much together: not where they are no more than others' crumbs.
 */
static int limit_thread(struct budget *budget, uint64_t now_ns, uint64_t window_ns, const struct cost_use *uses, size_t n,
			uint64_t *sum_ns)
{
	uint64_t allowed = allowed_ns(budget, window_ns), least = allowed / LEAST_SHARE, left_ns = 0, spared_ns;
	int r = 0;

	if (*sum_ns <= allowed)
		return 0;
	for (size_t i = 0; i < n; i++)
		left_ns += uses[i].may_limit ? uses[i].cost_ns : 0;
	for (size_t i = 0; i < n && r >= 0 && *sum_ns > allowed / 2; i++) {
		if (!uses[i].may_limit)
			continue;
		if (uses[i].cost_ns < least && (*sum_ns <= room_ns(budget, window_ns) || left_ns < least))
			break;
		r = limit_use(budget, &uses[i], now_ns, window_ns, &spared_ns);
		*sum_ns -= spared_ns;
		left_ns -= uses[i].cost_ns;
	}
	return r;
}

/* Where few hits were looked at it is chance how many of them were calls: then it is taken to be as with the thread's others. */
static void guess_calls(struct cost_use *uses, size_t n)
{
	uint64_t own_ns = 0, n_calls = 0;

	for (size_t i = 0; i < n; i++) {
		own_ns += uses[i].may_limit ? uses[i].own_ns : 0;
		n_calls += uses[i].may_limit ? uses[i].n_calls : 0;
	}
	for (size_t i = 0; i < n && n_calls && own_ns; i++)
		if (uses[i].may_limit && uses[i].n_calls < FEW_CALLS)
			uses[i].n_calls = (unsigned __int128)uses[i].own_ns * n_calls / own_ns;
}

/* What is known of a thread's functions that are limited, or have been. What is sampled is calm where all of it would fit. */
static void note_uses(struct budget *budget, const struct cost_use *uses, size_t n, uint64_t sum_ns, uint64_t now_ns,
		      uint64_t window_ns)
{
	uint64_t room = room_ns(budget, window_ns), full_ns, more_ns;

	for (size_t i = n; i-- > 0;) { /* the cheapest first: most find room so */
		struct function *function = hash_find(&budget->functions, uses[i].joinpoint);

		if (!function)
			continue;
		if (function->was_resumed && function->state == BUDGET_FULL && uses[i].tid == function->last.tid)
			function->spent_ns += uses[i].cost_ns;
		full_ns = uses[i].n_calls * function->call_ns;
		more_ns = full_ns > uses[i].cost_ns ? full_ns - uses[i].cost_ns : 0;
		if (full_ns > allowed_ns(budget, window_ns) / 2 || (more_ns && sum_ns + more_ns > room))
			function->busy_ns = now_ns;
		else if (function->state == BUDGET_SAMPLED)
			sum_ns += more_ns;
	}
}

static uint64_t rate_of(uint64_t part_ns, uint64_t whole_ns)
{
	return (unsigned __int128)part_ns * 1000000000 / whole_ns;
}

static uint64_t find_rate(const struct budget *budget, uint32_t tid)
{
	return (uintptr_t)hash_find(&budget->rates, tid);
}

static int set_rate(struct budget *budget, uint32_t tid, uint64_t rate)
{
	return rate ? hash_put(&budget->rates, tid, (void *)(uintptr_t)rate) : 0;
}

static int judge_thread(struct budget *budget, uint64_t now_ns, uint64_t window_ns, struct cost_use *uses, size_t n,
			uint64_t sum_ns)
{
	int r;

	guess_calls(uses, n);
	note_uses(budget, uses, n, sum_ns, now_ns, window_ns);
	r = limit_thread(budget, now_ns, window_ns, uses, n, &sum_ns);
	return r < 0 ? r : set_rate(budget, uses->tid, rate_of(sum_ns, window_ns));
}

static int relax(struct budget *budget, uint64_t now_ns)
{
	struct function *function;
	size_t cursor = 0;
	int r = 0;

	while (r >= 0 && (function = hash_next(&budget->functions, &cursor, NULL))) {
		if (function->state == BUDGET_SAMPLED && now_ns > function->busy_ns + CALM_NS) {
			function->was_resumed = true;
			r = change(budget, function, BUDGET_RESUMES, now_ns, function->last);
		} else if (function->state == BUDGET_FULL && now_ns > function->since_ns + FORGIVE_NS) {
			function->was_resumed = false;
			function->level = 0;
		}
	}
	return r;
}

int budget_judge(struct budget *budget, uint64_t now_ns, uint64_t window_ns, struct cost_use *uses, size_t n_uses)
{
	size_t n_thread;
	uint64_t sum_ns;
	int r;

	if (!window_ns)
		return 0;
	r = judge_tellable(budget, window_ns, uses, n_uses, BUDGET_TELL_NS * 9 / 10);
	if (!budget->permille || r < 0)
		return r;
	if (n_uses)
		qsort(uses, n_uses, sizeof(*uses), compare_uses);
	hash_done(&budget->rates);
	budget->rates = (struct hash){ 0 };
	for (size_t i = 0; i < n_uses && r >= 0; i += n_thread) {
		n_thread = thread_uses(uses, n_uses, i, &sum_ns);
		r = judge_thread(budget, now_ns, window_ns, uses + i, n_thread, sum_ns);
	}
	return r < 0 ? r : relax(budget, now_ns);
}

int budget_judge_last(struct budget *budget, uint64_t window_ns, struct cost_use *uses, size_t n_uses)
{
	return judge_tellable(budget, window_ns, uses, n_uses, TELL_MIN_NS);
}

bool budget_next_step(struct budget *budget, struct budget_step *ret_step)
{
	if (budget->next_step == budget->n_steps) {
		budget->next_step = budget->n_steps = 0;
		return false;
	}
	*ret_step = budget->steps[budget->next_step++];
	return true;
}

void budget_refuse(struct budget *budget, const struct budget_step *step, uint64_t now_ns)
{
	struct function *function = hash_find(&budget->functions, step->joinpoint);

	if (!function || step->change == BUDGET_TOLD)
		return;
	function->since_ns = now_ns + MIN_WAIT_NS; /* it is not asked again before */
	if (step->change == BUDGET_PAUSES)
		function->state = BUDGET_SAMPLED;
	else if (step->change == BUDGET_SAMPLES)
		function->state = BUDGET_FULL;
	else
		function->state = BUDGET_PAUSED;
	wait_for_trial(budget, function, now_ns, 0);
}

uint32_t budget_trial_due(const struct budget *budget, uint64_t now_ns)
{
	const struct function *function, *first = NULL;
	size_t cursor = 0;

	if (now_ns < budget->trials_ns)
		return 0;
	while ((function = hash_next(&budget->functions, &cursor, NULL)))
		if (function->state == BUDGET_PAUSED && function->trial_ns <= now_ns &&
		    (!first || function->trial_ns < first->trial_ns))
			first = function;
	return first ? first->joinpoint : 0;
}

static bool is_too_much(const struct budget *budget, const struct function *function, uint64_t window_ns,
			const struct cost_use *use)
{
	uint64_t cost_ns = use->n_calls * function->call_ns;
	uint64_t others_ns = (unsigned __int128)find_rate(budget, use->tid) * window_ns / 1000000000;

	return cost_ns > allowed_ns(budget, window_ns) / 2 || (cost_ns && cost_ns + others_ns > room_ns(budget, window_ns));
}

bool budget_is_too_much(const struct budget *budget, uint64_t window_ns, const struct cost_use *use)
{
	const struct function *function = hash_find(&budget->functions, use->joinpoint);

	return function && is_too_much(budget, function, window_ns, use);
}

bool budget_take_trial(struct budget *budget, uint64_t now_ns, uint64_t window_ns, const struct cost_use *busiest)
{
	struct function *function = hash_find(&budget->functions, busiest->joinpoint);
	struct cost_use use = *busiest;

	if (!function)
		return false;
	use.own_ns = use.cost_ns = use.n_calls * function->call_ns;
	if (!use.n_calls) {
		use.pid = function->last.pid;
		use.tid = function->last.tid;
	}
	budget->trials_ns = now_ns + paid_ns(budget, use.cost_ns);
	if (!window_ns || is_too_much(budget, function, window_ns, &use)) {
		if (function->level < MAX_LEVEL)
			function->level++;
		wait_for_trial(budget, function, now_ns, use.cost_ns);
		return false;
	}
	function->was_resumed = true;
	function->spent_ns = 0;
	if (change(budget, function, BUDGET_RESUMES, now_ns, make_step(BUDGET_RESUMES, &use, window_ns)) < 0)
		return false;
	set_rate(budget, use.tid, find_rate(budget, use.tid) + rate_of(use.cost_ns, window_ns));
	return true;
}

bool budget_next_limited(const struct budget *budget, size_t *cursor, enum budget_state *ret_state, struct budget_step *ret_step)
{
	const struct function *function;

	while ((function = hash_next(&budget->functions, cursor, NULL))) {
		if (function->state == BUDGET_FULL)
			continue;
		*ret_state = function->state;
		*ret_step = function->last;
		return true;
	}
	return false;
}
