/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What code.h finds in a binary, a line for each function and each of its exits, for a comparison with other disassemblers:
 *
 *     F address size complete|partial entry-address name
 *     E address return|jump|branch|branch-to-return
 *
 * With --time: how long it took, and how much of it was complete, instead.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "binary/code.h"

static const char *const kinds[] = {"return", "jump", "branch", "branch-to-return"};

struct sums {
	size_t n_functions, n_complete, n_exits, n_moved, n_emulated, n_loops, n_leaves;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static uint64_t address_of(const struct binary *binary, uint64_t offset)
{
	for (size_t i = 0; i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];

		if (segment->executable && offset - segment->file_offset < segment->file_bytes)
			return segment->address + (offset - segment->file_offset);
	}
	return 0;
}

static void print(const struct binary *binary, const struct symbol *symbol, const struct code_exits *exits,
		  const struct code_entry *entry)
{
	printf("F %" PRIx64 " %" PRIx64 " %s %" PRIx64 " %s\t%s\n", symbol->address, symbol->size,
	       exits->is_complete ? "complete" : "partial", address_of(binary, entry->file_offset),
	       symbol->linker_name, exits->is_complete ? "" : exits->reason);
	for (size_t i = 0; i < exits->n_items; i++)
		printf("E %" PRIx64 " %s\n", address_of(binary, exits->items[i].file_offset), kinds[exits->items[i].kind]);
}

static int dump(struct code *code, const struct binary *binary, const struct symbols *symbols, bool is_quiet,
		struct sums *sums)
{
	for (size_t i = 0; i < symbols->n_items; i++) {
		const struct symbol *symbol = &symbols->items[i];
		_cleanup_(code_exits_done) struct code_exits exits = {};
		struct code_entry entry;
		int r;

		if (i && symbols->items[i - 1].address == symbol->address)
			continue;
		r = code_find_entry(code, symbol, &entry);
		if (r == -EBADMSG)
			continue;
		if (r == 0)
			r = code_find_exits(code, symbol, &exits);
		if (r < 0)
			return r;
		sums->n_functions++;
		sums->n_complete += exits.is_complete;
		sums->n_exits += exits.n_items;
		sums->n_moved += entry.file_offset != symbol->file_offset;
		sums->n_emulated += entry.is_emulated;
		sums->n_loops += exits.loops_to_entry;
		sums->n_leaves += exits.calls_nobody;
		if (!is_quiet)
			print(binary, symbol, &exits, &entry);
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool is_quiet = argc > 2 && strcmp(argv[1], "--time") == 0;
	_cleanup_(unwind_done) struct unwind unwind = {};
	_cleanup_(symbols_done) struct symbols symbols = {};
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(code_closep) struct code *code = NULL;
	struct sums sums = {};
	struct why why = {};
	double start, opened;
	int r;

	r = argc < 2 ? -EINVAL : binary_open(argv[argc - 1], &binary, &why);
	if (r == 0)
		r = symbols_read(binary, &symbols, &why);
	start = now_s();
	if (r == 0)
		r = unwind_read(binary, &unwind);
	opened = now_s();
	if (r == 0)
		r = code_open(binary, &symbols, &unwind, &code);
	if (r == 0)
		r = dump(code, binary, &symbols, is_quiet, &sums);
	if (r < 0) {
		fprintf(stderr, "dump_sites: %s\n", why_text(&why, r));
		return 1;
	}
	if (is_quiet)
		printf("%zu functions, %zu complete, %zu exits, %zu entries moved, %zu emulated, %zu loop to their entry, %zu leaves; "
		       "%zu ranges in %.3f s, the rest in %.3f s; %s unwind (%s)%s\n",
		       sums.n_functions, sums.n_complete, sums.n_exits, sums.n_moved, sums.n_emulated, sums.n_loops,
		       sums.n_leaves, unwind.n_ranges, opened - start, now_s() - opened, unwind.may_unwind ? "may" : "may not",
		       unwind.reason, unwind.uses_several_stacks ? ", several stacks" : "");
	return 0;
}
