/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What is the same in all records of a join point is escaped once and kept, by its number: name and
 * category, and the names of its values.
 *
 * Values stand beside perfflow's own args, under the names that users know them by. Where such a
 * name is one of perfflow's, "arg_" is put before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"

#define MAX_CACHED (1U << 22) /* join points; those above are escaped each time */

/* Names of args that are perfflow's own, beside those of perf counters; sorted. */
static const char *const own_names[] = {
	"begin",
	"blocked_us",
	"cpu_usage",
	"end",
	"ended_by",
	"id",
	"involuntary_switches",
	"io_us",
	"major_faults",
	"memory_delta",
	"memory_usage",
	"minor_faults",
	"moment",
	"oncpu_us",
	"read_bytes",
	"return",
	"runnable_us",
	"stack",
	"unreadable",
	"voluntary_switches",
	"written_bytes",
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool is_own_name(const struct chrome *chrome, const char *name)
{
	if (bsearch(name, own_names, ARRAY_SIZE(own_names), sizeof(*own_names), compare_names))
		return true;
	for (const char *const *hw = chrome->hw_names; hw && *hw; hw++) {
		if (strcmp(name, *hw) == 0)
			return true;
	}
	return false;
}

static int append_key(struct text *text, const struct chrome *chrome,
		      const struct sink_value *value)
{
	const char *name = value->name ?: "return";
	int r;

	r = text_append(text, ",\"", 2);
	if (r == 0 && value->name && is_own_name(chrome, name))
		r = text_append(text, "arg_", 4);
	r = r ?: text_append_json(text, name, strlen(name));
	return r ?: text_append(text, "\":", 2);
}

/* The prefix, and behind it the keys, which end at keys[1] and so on. */
static int append_all(struct text *text, const struct chrome *chrome,
		      const struct sink_label *label, uint32_t keys[PF_MAX_CAPTURES + 1],
		      size_t *ret_prefix_size)
{
	int r;

	r = chrome_append_prefix(text, label->name, label->category);
	*ret_prefix_size = keys[0] = text->size;
	for (unsigned int i = 0; r == 0 && i < label->n_values && i < PF_MAX_CAPTURES; i++) {
		r = append_key(text, chrome, &label->values[i]);
		keys[i + 1] = text->size;
	}
	return r;
}

static int grow_prefixes(struct chrome *chrome, uint32_t joinpoint)
{
	size_t n = 64;
	struct prefix *prefixes;

	while (n <= joinpoint)
		n *= 2;
	prefixes = reallocarray(chrome->prefixes, n, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	memset(prefixes + chrome->n_prefixes, 0, (n - chrome->n_prefixes) * sizeof(*prefixes));
	chrome->prefixes = prefixes;
	chrome->n_prefixes = n;
	return 0;
}

/* One block for both; the offsets of the keys first, which need to be aligned. */
static int keep(struct chrome *chrome, uint32_t joinpoint, const struct sink_label *label,
		struct prefix *prefix)
{
	size_t n_keys = label->n_values ? PF_MAX_CAPTURES + 1 : 0;
	uint32_t *keys;
	int r;

	if (joinpoint >= chrome->n_prefixes) {
		r = grow_prefixes(chrome, joinpoint);
		if (r < 0)
			return r;
	}
	keys = malloc(n_keys * sizeof(*keys) + chrome->uncached.size);
	if (!keys)
		return -ENOMEM;
	prefix->data = memcpy(keys + n_keys, prefix->data, chrome->uncached.size);
	prefix->keys = memcpy(keys, prefix->keys, n_keys * sizeof(*keys));
	chrome->prefixes[joinpoint] = *prefix;
	return 0;
}

int chrome_make_prefix(struct chrome *chrome, uint32_t joinpoint, const struct sink_label *label,
		       struct prefix *ret_prefix)
{
	struct prefix prefix = {.keys = chrome->uncached_keys};
	int r;

	chrome->uncached.size = 0;
	r = append_all(&chrome->uncached, chrome, label, chrome->uncached_keys, &prefix.size);
	if (r < 0)
		return r;
	prefix.data = chrome->uncached.data;
	if (joinpoint < MAX_CACHED) {
		r = keep(chrome, joinpoint, label, &prefix);
		if (r < 0)
			return r;
	}
	*ret_prefix = prefix;
	return 0;
}

void chrome_free_prefixes(struct chrome *chrome)
{
	for (size_t i = 0; i < chrome->n_prefixes; i++)
		free(chrome->prefixes[i].keys);
	free(chrome->prefixes);
	text_done(&chrome->uncached);
}
