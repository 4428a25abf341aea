/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * It reads the kernel's rings of mappings itself, beside the session's loop, which has others: that
 * loop may be busy with weaving for seconds, and nothing has to be shared with the pipeline's
 * thread.
 */
#include "session/symbolizer.h"

#include <errno.h>
#include <stdio.h>

#include "binary/process.h"
#include "session/spaces.h"
#include "util/now.h"

#define SWEEP_NS 5000000000ULL

struct symbolizer {
	struct mappings *mappings;
	struct modules *modules;
	struct spaces *spaces;
	uint64_t updated_ns, swept_ns;
	uint64_t n_ignored;
};

int symbolizer_new(const struct rights *rights, unsigned int read_s, struct symbolizer **ret_symbolizer)
{
	_cleanup_(symbolizer_freep) struct symbolizer *symbolizer = NULL;
	int r;

	symbolizer = calloc(1, sizeof(*symbolizer));
	if (!symbolizer)
		return -ENOMEM;
	r = mappings_open(MAPPINGS_ALL, &symbolizer->mappings);
	if (r >= 0)
		r = modules_new(read_s, &symbolizer->modules);
	if (r >= 0 && rights)
		r = modules_restrict(symbolizer->modules, rights);
	if (r >= 0)
		r = spaces_new(symbolizer->modules, &symbolizer->spaces);
	if (r < 0)
		return r;
	*ret_symbolizer = take_ptr(symbolizer);
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	spaces_free(symbolizer->spaces);
	modules_free(symbolizer->modules);
	mappings_close(symbolizer->mappings);
	free(symbolizer);
}

int symbolizer_add(struct symbolizer *symbolizer, pid_t pid)
{
	int r = spaces_read(symbolizer->spaces, pid);

	return r == -ENOMEM ? r : 0;
}

int symbolizer_add_all(struct symbolizer *symbolizer)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n;
	int r;

	r = process_all(&pids, &n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = symbolizer_add(symbolizer, pids[i]);
	return r;
}

static void on_mapping(const struct mapping *mapping, void *userdata)
{
	struct symbolizer *symbolizer = userdata;

	symbolizer->n_ignored += spaces_note(symbolizer->spaces, mapping) < 0;
}

void symbolizer_update(struct symbolizer *symbolizer)
{
	symbolizer->updated_ns = clock_now_ns(CLOCK_BOOTTIME);
	mappings_read(symbolizer->mappings, on_mapping, symbolizer);
	if (symbolizer->updated_ns - symbolizer->swept_ns < SWEEP_NS)
		return;
	mappings_renew(symbolizer->mappings, on_mapping, symbolizer);
	spaces_sweep(symbolizer->spaces);
	symbolizer->swept_ns = symbolizer->updated_ns;
}

void symbolizer_prepare(struct symbolizer *symbolizer, uint32_t pid, uint64_t time_ns,
			const uint64_t *addresses, size_t n_addresses)
{
	struct place place;

	if (time_ns > symbolizer->updated_ns)
		symbolizer_update(symbolizer);
	for (size_t i = 0; i < n_addresses; i++)
		if (spaces_find_known(symbolizer->spaces, pid, time_ns, addresses[i], &place))
			modules_prepare(symbolizer->modules, place.module);
}

bool symbolizer_is_ready(struct symbolizer *symbolizer)
{
	return modules_are_ready(symbolizer->modules);
}

void symbolizer_wait(struct symbolizer *symbolizer)
{
	modules_wait(symbolizer->modules);
}

int symbolizer_symbolize(void *opaque, uint32_t pid, uint64_t time_ns, uint64_t address,
			 struct text *ret_text)
{
	struct symbolizer *symbolizer = opaque;
	struct place place;

	if (time_ns > symbolizer->updated_ns)
		symbolizer_update(symbolizer);
	if (!spaces_find(symbolizer->spaces, pid, time_ns, address, &place))
		return -ENOENT;
	return modules_describe(symbolizer->modules, place.module, place.offset, ret_text);
}

int symbolizer_warn(const struct symbolizer *symbolizer, struct strings *warnings)
{
	uint64_t n = mappings_n_lost(symbolizer->mappings) + symbolizer->n_ignored;
	char text[200];
	int r;

	r = modules_warn(symbolizer->modules, warnings);
	if (r < 0 || !n)
		return r;
	snprintf(text, sizeof(text),
		 "%llu things that processes mapped, executed or began were not heard of: stacks "
		 "may lack "
		 "names, or have wrong ones",
		 (unsigned long long)n);
	return strings_add(warnings, text);
}
