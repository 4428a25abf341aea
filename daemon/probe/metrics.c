/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "probe/metrics.h"

#include <errno.h>
#include <string.h>

#include "probe/counter.h"

#define BIT(metric) (1U << (metric))

static const struct {
	const char *word;
	uint32_t mask;
} groups[] = {
	{ "cpu", 0 },
	{ "mem", BIT(PF_METRIC_RSS) | BIT(PF_METRIC_RSS_DELTA) },
	{ "faults", BIT(PF_METRIC_MINOR_FAULTS) | BIT(PF_METRIC_MAJOR_FAULTS) },
	{ "ctxsw", BIT(PF_METRIC_VOLUNTARY) | BIT(PF_METRIC_INVOLUNTARY) },
	{ "io", BIT(PF_METRIC_READ_BYTES) | BIT(PF_METRIC_WRITTEN_BYTES) },
};

static const char *const hw_group[] = { "cycles", "instructions", "cache-misses", "branch-misses" };

static int add_counter(struct metrics *metrics, const struct counter_kind *kind, struct why *why)
{
	for (size_t i = 0; i < metrics->n_hw; i++)
		if (metrics->hw[i] == kind)
			return 0;
	if (metrics->n_hw == PF_MAX_HW)
		return why_say(why, -EINVAL, "a session counts at most %d perf counters", PF_MAX_HW);
	metrics->hw[metrics->n_hw++] = kind;
	return 0;
}

static int add_hw_group(struct metrics *metrics, struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hw_group) && r >= 0; i++)
		r = add_counter(metrics, counter_find(hw_group[i]), why);
	return r;
}

static int add_word(struct metrics *metrics, const char *word, struct why *why)
{
	const struct counter_kind *kind = counter_find(word);
	char counters[512];

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (strcmp(groups[i].word, word) == 0) {
			metrics->mask |= groups[i].mask;
			return 0;
		}
	}
	if (strcmp(word, "hw") == 0)
		return add_hw_group(metrics, why);
	if (strcmp(word, "gpu") == 0) {
		metrics->with_gpu = true;
		return 0;
	}
	if (kind)
		return add_counter(metrics, kind, why);
	counter_list(counters, sizeof(counters));
	return why_say(why, -EINVAL, "'%s' is no metric: cpu, mem, faults, ctxsw, io, hw, gpu, or one of the counters %s",
		       word, counters);
}

static void set_hw_bits(struct metrics *metrics)
{
	metrics->mask &= BIT(PF_METRIC_HW) - 1;
	metrics->mask |= (BIT(metrics->n_hw) - 1) << PF_METRIC_HW;
}

int metrics_parse(const char *text, struct metrics *ret_metrics, struct why *why)
{
	_cleanup_free_ char *words = strdup(text);
	struct metrics metrics = { 0 };
	char *word, *rest = words;
	int r = 0;

	if (!words)
		return -ENOMEM;
	while (r >= 0 && (word = strsep(&rest, ",")))
		r = add_word(&metrics, word, why);
	if (r < 0)
		return r;
	set_hw_bits(&metrics);
	*ret_metrics = metrics;
	return 0;
}

/* Those that are kept stay open meanwhile, since a processor has room for a few at once. */
int metrics_keep_present(struct metrics *metrics, struct strings *warnings)
{
	int fds[PF_MAX_HW], r = 0;
	size_t n = 0;

	for (size_t i = 0; i < metrics->n_hw && r >= 0; i++) {
		struct why why = { 0 };
		int fd = counter_try(metrics->hw[i], &why);

		if (fd < 0) {
			r = strings_add(warnings, why.text);
			continue;
		}
		fds[n] = fd;
		metrics->hw[n++] = metrics->hw[i];
	}
	metrics->n_hw = n;
	set_hw_bits(metrics);
	while (n > 0)
		closep(&fds[--n]);
	return r;
}
