/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A trial is done in one go, with the session's loop waiting: were it to go on with other things meanwhile, a trial might last
 * for as long as they do, and its program would pay. Nor does it wait for its turn, for the same reason: it gives that away, as
 * does who takes probes out, and touches nothing meanwhile that others look at. That is the budget, the notices and the labels.
 *
 * All that are paused at once are taken out of their links together: each link is made anew, whatever the number.
 */
#include "session/overhead.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe/attach_probes.h"
#include "probe/relink.h"
#include "session/turn.h"
#include "util/hash.h"
#include "util/now.h"

#define MAX_NOTICES 256
#define MAX_NOTICES_AT_ONCE 16
#define TRIAL_LOOKS 10
#define ACCURACY_US 10000

/* Where they cannot be measured: as of a virtual machine, where they are dearer than elsewhere. */
static const struct probe_costs usual_costs = { .emulated_ns = 600, .stepped_ns = 5000, .nop5_ns = 600, .return_ns = 600 };

struct overhead {
	struct overhead_config config;
	struct pipeline *pipeline;
	struct budget *budget;
	struct cost_table costs;
	struct table hits;
	struct cost_use *uses;
	size_t n_uses;
	uint64_t read_ns; /* when the hits were read last */
	struct hash paused_ns; /* join point -> when its probes were taken away last */
	bool has_told_of_links;
	struct budget_step *pauses; /* those that are due */
	size_t n_pauses;
	struct strings notices;
	size_t n_new; /* of them, which the user has not heard of */
	unsigned int n_untold[BUDGET_N_CHANGES]; /* steps at once that are in the trace alone */
	sd_event_source *timer;
};

static uint64_t boot_ns(void)
{
	return clock_now_ns(CLOCK_BOOTTIME);
}

int overhead_new(const struct overhead_config *config, struct overhead **ret_overhead)
{
	_cleanup_(overhead_freep) struct overhead *overhead = calloc(1, sizeof(*overhead));
	int r;

	if (!overhead)
		return -ENOMEM;
	overhead->config = *config;
	overhead->hits = (struct table){
		.fd = attach_hits_fd(config->attach),
		.key_bytes = sizeof(struct pf_hits_key),
		.value_bytes = sizeof(struct pf_hits),
	};
	r = budget_new(config->permille, &overhead->budget);
	if (r < 0)
		return r;
	*ret_overhead = take_ptr(overhead);
	return 0;
}

void overhead_free(struct overhead *overhead)
{
	if (!overhead)
		return;
	sd_event_source_disable_unref(overhead->timer);
	budget_free(overhead->budget);
	cost_table_done(&overhead->costs);
	table_done(&overhead->hits);
	hash_done(&overhead->paused_ns);
	strings_done(&overhead->notices);
	free(overhead->uses);
	free(overhead->pauses);
	free(overhead);
}

struct cost_table *overhead_costs(struct overhead *overhead)
{
	return &overhead->costs;
}

const struct strings *overhead_notices(const struct overhead *overhead)
{
	return &overhead->notices;
}

bool overhead_next_limited(const struct overhead *overhead, size_t *cursor, enum budget_state *ret_state,
			   struct budget_step *ret_step, const struct sink_label **ret_label)
{
	if (!budget_next_limited(overhead->budget, cursor, ret_state, ret_step))
		return false;
	*ret_label = labels_find(overhead->config.labels, ret_step->joinpoint);
	return true;
}

/* Telling */

static int append_why(struct text *text, const struct overhead *overhead, const struct budget_step *step)
{
	int r = text_printf(text, "tracing it takes %u.%u%% of the time of thread %u of process %u, %" PRIu64
			    " calls a second of %" PRIu64 ".%03" PRIu64 " us",
			    step->permille / 10, step->permille % 10, step->tid, step->pid, step->calls_per_s,
			    step->call_ns / 1000, step->call_ns % 1000);

	if (r >= 0 && overhead->config.permille && step->change != BUDGET_TOLD)
		r = text_printf(text, "; the budget is %u.%u%%", overhead->config.permille / 10, overhead->config.permille % 10);
	return r;
}

static int say(struct text *text, const struct overhead *overhead, const struct budget_step *step,
	       const struct sink_label *label, uint64_t now_ns)
{
	int r = text_printf(text, "'%s' (%s) ", label->name, label->category);

	if (r < 0)
		return r;
	switch (step->change) {
	case BUDGET_SAMPLES:
		r = text_printf(text, "is sampled, one call in %d: ", BUDGET_SAMPLE);
		break;
	case BUDGET_PAUSES:
		r = text_printf(text, "is paused: ");
		break;
	case BUDGET_RESUMES:
		return text_printf(text, "is calm, and traced again after %.1f s", (now_ns - step->since_ns) / 1e9);
	default:
		r = text_printf(text, "is costly: ");
	}
	return r < 0 ? r : append_why(text, overhead, step);
}

static void notice(struct overhead *overhead, const char *sentence)
{
	if (overhead->notices.n_items < MAX_NOTICES && strings_add(&overhead->notices, sentence) >= 0)
		overhead->n_new++;
}

/* The user hears of all that is new at once, and of many steps in short. */
static void tell_notices(struct overhead *overhead)
{
	char sentence[128];

	for (int i = 0; i < BUDGET_N_CHANGES; i++) {
		if (!overhead->n_untold[i])
			continue;
		snprintf(sentence, sizeof(sentence), "also %s: %u more, which the trace names", budget_change_name(i),
			 overhead->n_untold[i]);
		notice(overhead, sentence);
		overhead->n_untold[i] = 0;
	}
	if (overhead->n_new)
		overhead->config.notice_fn(overhead->config.userdata);
	overhead->n_new = 0;
}

/* To the user and into the trace. */
static void publish(struct overhead *overhead, const struct budget_step *step, uint64_t now_ns)
{
	const struct sink_label *label = labels_find(overhead->config.labels, step->joinpoint);
	const struct sink_step written = {
		.what = budget_change_name(step->change),
		.label = label,
		.time_ns = now_ns,
		.pid = step->pid,
		.tid = step->tid,
		.permille = step->permille,
		.calls_per_s = step->calls_per_s,
		.call_ns = step->call_ns,
		.budget_permille = overhead->config.permille,
		.sample = step->change == BUDGET_SAMPLES ? BUDGET_SAMPLE : 0,
	};
	_cleanup_(text_done) struct text text = { 0 };

	if (!label)
		return;
	ledger_note_step(pipeline_ledger(overhead->pipeline), &written);
	if (overhead->n_new >= MAX_NOTICES_AT_ONCE)
		overhead->n_untold[step->change]++;
	else if (say(&text, overhead, step, label, now_ns) >= 0)
		notice(overhead, text.data);
}

/* Of a time in which nothing of a function was seen; end_ns 0: it goes on. */
static void note_pause(struct overhead *overhead, uint32_t joinpoint, uint64_t begin_ns, uint64_t end_ns)
{
	const struct sink_label *label = labels_find(overhead->config.labels, joinpoint);
	const struct sink_loss loss = {
		.reason = "paused",
		.function = label ? label->name : NULL,
		.module = label ? label->category : NULL,
		.begin_ns = begin_ns,
		.end_ns = end_ns,
	};

	ledger_note_loss(pipeline_ledger(overhead->pipeline), &loss);
}

/* Limiting */

static uint64_t last_pause_ns(const struct overhead *overhead, uint32_t joinpoint)
{
	return (uintptr_t)hash_find(&overhead->paused_ns, joinpoint);
}

static int set_limit(struct overhead *overhead, uint32_t joinpoint, uint32_t sample)
{
	const struct pf_limit limit = { .sample = sample, .paused_ns = last_pause_ns(overhead, joinpoint) };

	return attach_limit(overhead->config.attach, joinpoint, &limit);
}

/* Only what is this session's own is touched meanwhile, and its links are not looked at by others. */
static int take_probes_away(struct overhead *overhead, const uint32_t *joinpoints, size_t n, uint64_t *ret_gone_ns)
{
	int r;

	turn_give();
	r = relinks_take_away(attach_relinks(overhead->config.attach), joinpoints, n);
	*ret_gone_ns = boot_ns();
	turn_take();
	return r;
}

static int take_away(struct overhead *overhead, const uint32_t *joinpoints, size_t n)
{
	uint64_t gone_ns = 0;
	int r = 0;

	if (!attach_relinks(overhead->config.attach))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = set_limit(overhead, joinpoints[i], 0);
	if (r >= 0)
		r = take_probes_away(overhead, joinpoints, n, &gone_ns);
	for (size_t i = 0; i < n && r < 0; i++)
		set_limit(overhead, joinpoints[i], BUDGET_SAMPLE);
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = hash_put(&overhead->paused_ns, joinpoints[i], (void *)(uintptr_t)gone_ns);
		if (r >= 0)
			r = set_limit(overhead, joinpoints[i], 0);
	}
	return r;
}

static int resume(struct overhead *overhead, const struct budget_step *step, uint64_t now_ns)
{
	struct relinks *relinks = attach_relinks(overhead->config.attach);
	uint64_t paused_ns = last_pause_ns(overhead, step->joinpoint);
	int r = paused_ns >= step->since_ns ? relinks_put_back(relinks, step->joinpoint, false) : 0;

	if (r >= 0)
		r = set_limit(overhead, step->joinpoint, 1);
	if (r >= 0 && paused_ns >= step->since_ns)
		note_pause(overhead, step->joinpoint, paused_ns, now_ns);
	return r;
}

static void report_refusal(struct overhead *overhead, int r)
{
	char sentence[256];

	if (overhead->has_told_of_links)
		return;
	overhead->has_told_of_links = true;
	if (r == -EOPNOTSUPP)
		snprintf(sentence, sizeof(sentence),
			 "the probes of single functions cannot be taken away here: those past the budget stay sampled");
	else
		snprintf(sentence, sizeof(sentence), "probes could not be taken away or put back: %s", strerror(-r));
	notice(overhead, sentence);
}

static void end_step(struct overhead *overhead, const struct budget_step *step, uint64_t now_ns, int r)
{
	if (r < 0) {
		budget_refuse(overhead->budget, step, now_ns);
		report_refusal(overhead, r);
		return;
	}
	if (step->change == BUDGET_PAUSES)
		note_pause(overhead, step->joinpoint, last_pause_ns(overhead, step->joinpoint), 0);
	publish(overhead, step, boot_ns());
}

/* What cannot be done to all of them may be possible with some. */
static void pause_each(struct overhead *overhead)
{
	for (size_t i = 0; i < overhead->n_pauses; i++)
		end_step(overhead, &overhead->pauses[i], boot_ns(), take_away(overhead, &overhead->pauses[i].joinpoint, 1));
}

static void pause_all(struct overhead *overhead)
{
	_cleanup_free_ uint32_t *joinpoints = calloc(overhead->n_pauses + 1, sizeof(*joinpoints));
	uint64_t now_ns = boot_ns();
	int r = joinpoints ? 0 : -ENOMEM;

	for (size_t i = 0; i < overhead->n_pauses && r >= 0; i++)
		joinpoints[i] = overhead->pauses[i].joinpoint;
	if (r >= 0)
		r = take_away(overhead, joinpoints, overhead->n_pauses);
	if (r < 0 && overhead->n_pauses > 1)
		pause_each(overhead);
	else
		for (size_t i = 0; i < overhead->n_pauses; i++)
			end_step(overhead, &overhead->pauses[i], now_ns, r);
	overhead->n_pauses = 0;
}

static int take_step(struct overhead *overhead, const struct budget_step *step, uint64_t now_ns)
{
	if (step->change == BUDGET_SAMPLES)
		return set_limit(overhead, step->joinpoint, BUDGET_SAMPLE);
	return step->change == BUDGET_RESUMES ? resume(overhead, step, now_ns) : 0;
}

static void take_steps(struct overhead *overhead)
{
	struct budget_step step;
	uint64_t now_ns;

	while (budget_next_step(overhead->budget, &step)) {
		now_ns = boot_ns();
		if (step.change != BUDGET_PAUSES)
			end_step(overhead, &step, now_ns, take_step(overhead, &step, now_ns));
		else if (array_grow(&overhead->pauses, overhead->n_pauses, sizeof(step)) < 0)
			end_step(overhead, &step, now_ns, -ENOMEM);
		else
			overhead->pauses[overhead->n_pauses++] = step;
	}
	if (overhead->n_pauses)
		pause_all(overhead);
	tell_notices(overhead);
}

/* Looking */

static struct probe_costs read_costs(const struct overhead *overhead, int *ret_r)
{
	struct probe_costs costs = usual_costs;

	*ret_r = overhead->config.calibration ? calibration_read(overhead->config.calibration, &costs) : -ENOENT;
	return costs;
}

/* What was used since the last look. Returns how long that is ago, or 0: it cannot be told yet. */
static uint64_t look(struct overhead *overhead)
{
	uint64_t now_ns = boot_ns(), window_ns = now_ns - overhead->read_ns;
	struct table_cursor cursor = { 0 };
	struct cost_use use;
	struct probe_costs costs;
	int r;

	costs = read_costs(overhead, &r);
	if (r == -EAGAIN || table_read(&overhead->hits) < 0)
		return 0;
	overhead->read_ns = now_ns;
	overhead->n_uses = 0;
	while (cost_next(&overhead->hits, &cursor, &overhead->costs, &costs, &use)) {
		if (!use.cost_ns)
			continue;
		if (array_grow(&overhead->uses, overhead->n_uses, sizeof(use)) < 0)
			return 0;
		overhead->uses[overhead->n_uses++] = use;
	}
	return window_ns;
}

/* The thread that has called most. */
static struct cost_use find_busiest(const struct overhead *overhead, uint32_t joinpoint)
{
	struct cost_use busiest = { .joinpoint = joinpoint };

	for (size_t i = 0; i < overhead->n_uses; i++)
		if (overhead->uses[i].joinpoint == joinpoint && overhead->uses[i].n_calls > busiest.n_calls)
			busiest = overhead->uses[i];
	return busiest;
}

/*
 * Looks at what is called until it is plain that it is too much, or was not for a while: who calls may have to wait for a CPU
 * first. *ret_busiest is of the worst of its looks, whose length is returned; 0: it cannot be told.
 */
static uint64_t watch(struct overhead *overhead, uint32_t joinpoint, struct cost_use *ret_busiest)
{
	uint64_t worst_ns = 0, window_ns;
	struct cost_use busiest;

	*ret_busiest = (struct cost_use){ .joinpoint = joinpoint };
	look(overhead); /* from here on it counts */
	if (relinks_put_back(attach_relinks(overhead->config.attach), joinpoint, true) < 0)
		return 0;
	for (int i = 0; i < TRIAL_LOOKS; i++) {
		if (i) /* to put the probes back has taken a while, too */
			usleep(BUDGET_TRIAL_NS / 1000);
		window_ns = look(overhead);
		if (!window_ns)
			return 0;
		busiest = find_busiest(overhead, joinpoint);
		if (!worst_ns || busiest.n_calls > ret_busiest->n_calls) {
			worst_ns = window_ns;
			*ret_busiest = busiest;
		}
		if (budget_is_too_much(overhead->budget, window_ns, &busiest))
			break;
	}
	return worst_ns;
}

static void try(struct overhead *overhead, uint32_t joinpoint)
{
	struct cost_use busiest;
	uint64_t window_ns;

	turn_give();
	window_ns = watch(overhead, joinpoint, &busiest);
	if (relinks_take_away(attach_relinks(overhead->config.attach), &joinpoint, 1) < 0)
		window_ns = 0;
	look(overhead); /* what else happened meanwhile is not held against anybody */
	turn_take();
	budget_take_trial(overhead->budget, boot_ns(), window_ns, &busiest);
	take_steps(overhead);
}

/* Not more: what happens during a trial is not judged. */
static void try_one(struct overhead *overhead)
{
	uint32_t joinpoint = budget_trial_due(overhead->budget, boot_ns());

	if (joinpoint)
		try(overhead, joinpoint);
}

/* Where nothing is to be limited it is enough to look as often as the user is told. */
static uint64_t tick_us(const struct overhead *overhead)
{
	return (overhead->config.permille ? BUDGET_TICK_NS : BUDGET_TELL_NS) / 1000;
}

static int on_tick(sd_event_source *source, uint64_t time_us, void *userdata)
{
	struct overhead *overhead = userdata;
	uint64_t window_ns = look(overhead);

	(void)time_us;
	if (window_ns && budget_judge(overhead->budget, overhead->read_ns, window_ns, overhead->uses, overhead->n_uses) >= 0)
		take_steps(overhead);
	if (overhead->config.permille)
		try_one(overhead);
	sd_event_source_set_time_relative(source, tick_us(overhead));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int overhead_start(struct overhead *overhead, sd_event *loop, struct pipeline *pipeline)
{
	overhead->pipeline = pipeline;
	overhead->read_ns = boot_ns();
	return sd_event_add_time_relative(loop, &overhead->timer, CLOCK_MONOTONIC, tick_us(overhead), ACCURACY_US, on_tick,
					  overhead);
}

void overhead_stop(struct overhead *overhead)
{
	size_t cursor = 0;
	uint64_t window_ns;
	enum budget_state state;
	struct budget_step step;

	if (!overhead->timer)
		return;
	overhead->timer = sd_event_source_disable_unref(overhead->timer);
	window_ns = look(overhead);
	if (window_ns && budget_judge_last(overhead->budget, window_ns, overhead->uses, overhead->n_uses) >= 0)
		take_steps(overhead);
	while (budget_next_limited(overhead->budget, &cursor, &state, &step))
		if (state == BUDGET_PAUSED)
			note_pause(overhead, step.joinpoint, last_pause_ns(overhead, step.joinpoint), boot_ns());
}
