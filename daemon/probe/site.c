/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/ knows the code and the signs of exceptions; here they are weighed. The file decides as a whole and not each
 * function: an exception passes through a function that has nothing to clean up, too. That a leaf calls nobody who could
 * throw would allow it a return probe, but for handlers of signals that throw, or end the thread.
 *
 * A function that jumps to its own first instruction would be entered once a turn, as it seems to a probe there, and each
 * return probe would stack up on the last; so nobody looks at its returns.
 */
#include "probe/site.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "binary/unwind.h"

/*
 * What a probe costs whose program does nothing, and what perfflow does for a call beside, as tests/bench/bench_span measures both in
 * a virtual machine: an entry on `push` (emulated), on `sub` (single-stepped). On bare metal stepping costs two to three times an
 * emulated probe instead of fifteen. Other machines differ; the relations are what the choice is shown by.
 */
static const struct probe_costs typical = {
	.emulated_ns = 600,
	.stepped_ns = 9800,
	.nop5_ns = 300,
	.return_ns = 500,
};
#define RECORD_NS 400

struct site_chooser {
	const struct binary *binary;
	struct unwind unwind;
	struct code *code;
	const char *distrust; /* why no return probes, or NULL */
};

static const char *const mode_names[] = {"auto", "sites", "probes", "never"};

const char *site_mode_name(enum site_mode mode)
{
	return mode_names[mode];
}

int site_mode_parse(const char *name, enum site_mode *ret_mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (strcmp(name, mode_names[i]) == 0) {
			*ret_mode = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *site_returns_name(enum site_returns returns)
{
	static const char *const names[] = {"entry only", "exit sites", "return probe"};

	return names[returns];
}

void site_done(struct site *site)
{
	free(site->exits);
	*site = (struct site){};
}

bool site_is_emulated(const uint8_t *code, size_t size)
{
	return instruction_is_emulated(EM_X86_64, code, size);
}

/* A runtime whose exceptions may pass any function that calls back, whatever language that is written in. */
const char *site_distrust_name(const char *path)
{
	const char *name = text_file_name(path);

	if (strncmp(name, "libstdc++.so", 12) == 0 || strncmp(name, "libc++", 6) == 0 ||
	    strncmp(name, "libgnat", 7) == 0)
		return "C++ exceptions may pass it in this program";
	return NULL;
}

/*
 * A program with exceptions of its own (static C++, Rust), or that looks at its own stack or switches it; or a part of one that
 * may load what does. The C library loads libraries by itself too, but none of them calls the program back.
 */
const char *site_distrust_part(const struct binary *binary)
{
	_cleanup_(unwind_done) struct unwind unwind = { 0 };

	if (unwind_loads_libraries(binary))
		return "the program may load libraries that unwind its stack";
	if (!binary->is_program || unwind_read(binary, &unwind) < 0)
		return NULL;
	if (unwind.uses_several_stacks)
		return "the program switches stacks";
	return unwind.may_unwind ? "the program unwinds its stack, or looks at it" : NULL;
}

const char *site_distrust(const struct strings *paths)
{
	const char *reason = NULL;

	for (size_t i = 0; i < paths->n_items && !reason; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;
		struct why ignored = { 0 };

		reason = site_distrust_name(paths->items[i]);
		if (!reason && binary_open(paths->items[i], &binary, &ignored) == 0)
			reason = site_distrust_part(binary);
	}
	return reason;
}

/* Nothing is known of a file that cannot be opened; the loader will not load it either. */
static bool starts_programs(const char *path)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why ignored = { 0 };

	return binary_open(path, &binary, &ignored) == 0 && unwind_starts_programs(binary);
}

const char *site_distrust_library(bool spares_others, bool starts_programs)
{
	if (!spares_others)
		return "other programs may use it, which this kernel would not spare";
	return starts_programs ? "the program may start others that unwind their stacks" : NULL;
}

const char *site_distrust_libraries(const struct strings *paths, bool spares_others)
{
	bool any_starts = false;

	for (size_t i = 0; spares_others && i < paths->n_items && !any_starts; i++)
		any_starts = starts_programs(paths->items[i]);
	return site_distrust_library(spares_others, any_starts);
}

int site_chooser_open(const struct binary *binary, const struct symbols *symbols, struct site_chooser **ret_chooser,
		      struct why *why)
{
	_cleanup_(site_chooser_closep) struct site_chooser *chooser = NULL;
	int r;

	chooser = calloc(1, sizeof(*chooser));
	if (!chooser)
		return -ENOMEM;
	chooser->binary = binary;
	r = unwind_read(binary, &chooser->unwind);
	if (r == 0)
		r = code_open(binary, symbols, &chooser->unwind, &chooser->code);
	if (r < 0)
		return why_set(why, r, "cannot take the code of '%s' apart", binary->path);
	if (chooser->unwind.may_unwind)
		chooser->distrust = chooser->unwind.reason;
	else if (chooser->unwind.uses_several_stacks)
		chooser->distrust = "it switches stacks";
	*ret_chooser = take_ptr(chooser);
	return 0;
}

void site_chooser_close(struct site_chooser *chooser)
{
	if (!chooser)
		return;
	code_close(chooser->code);
	unwind_done(&chooser->unwind);
	free(chooser);
}

static int refuse(const struct symbol *symbol, const char *reason, struct why *why)
{
	return why_say(why, -ENOENT, "'%s' cannot be probed: %s", symbol->linker_name, reason);
}

static int choose_entry(struct site_chooser *chooser, const struct symbol *symbol, struct site *site, struct why *why)
{
	struct code_entry entry;
	uint8_t code[32];
	ssize_t size;
	int r;

	if (chooser->binary->machine == EM_AARCH64 && symbol->address % 4 != 0)
		return refuse(symbol, "it does not begin at an instruction", why);
	r = code_find_entry(chooser->code, symbol, &entry);
	if (r == -EBADMSG)
		return refuse(symbol, "its code is not in the file", why);
	if (r < 0)
		return why_set(why, r, "cannot read the code of '%s'", symbol->linker_name);
	size = binary_read(chooser->binary, entry.file_offset, code, sizeof(code));
	if (size < 0)
		return why_set(why, size, "cannot read the code of '%s'", symbol->linker_name);
	if (symbol->size && entry.file_offset == symbol->file_offset && symbol->size < (uint64_t)size)
		size = symbol->size;
	if (instruction_is_refused(chooser->binary->machine, code, size))
		return refuse(symbol, "the kernel refuses its first instruction, and no later one will do", why);

	site->entry_offset = entry.file_offset;
	site->is_emulated = entry.is_emulated;
	site->is_optimised = entry.is_optimised;
	memcpy(site->instruction, entry.instruction, sizeof(site->instruction));
	return 0;
}

static void see_returns(struct site *site, enum site_returns returns, const char *reason)
{
	site->returns = returns;
	site->reason = reason;
}

/* What no mode changes, since it would harm the program or tell lies. */
static bool is_entry_only(const struct site_chooser *chooser, const struct symbol *symbol, const struct code_exits *exits,
			  struct site *site)
{
	const char *reason = NULL;

	if (symbol->returns_oddly)
		reason = "it returns more than once, or minds who called it";
	else if (chooser->binary->is_go)
		reason = "it is written in Go, which moves its stacks";
	else if (exits->loops_to_entry)
		reason = "it loops to its first instruction, so that each turn looks like a call";
	if (reason)
		see_returns(site, SITE_ENTRY_ONLY, reason);
	return reason;
}

/* Takes the exits if they are what is chosen. */
static void choose_returns(const struct site_chooser *chooser, const struct symbol *symbol, enum site_mode mode,
			   struct code_exits *exits, struct site *site)
{
	const char *distrust = chooser->distrust ? chooser->distrust : chooser->binary->distrust;
	const char *asked = "this was asked for";

	if (is_entry_only(chooser, symbol, exits, site))
		return;
	if (mode == SITE_MODE_NEVER)
		return see_returns(site, SITE_ENTRY_ONLY, asked);
	if (mode == SITE_MODE_PROBES)
		return see_returns(site, SITE_RETURN_PROBE, asked);
	if (mode == SITE_MODE_AUTO && !distrust)
		return see_returns(site, SITE_RETURN_PROBE, chooser->unwind.reason);
	if (!exits->is_complete)
		return see_returns(site, SITE_ENTRY_ONLY, exits->reason);
	see_returns(site, SITE_EXITS, mode == SITE_MODE_SITES ? asked : distrust);
	site->n_exits = exits->n_items;
	site->exits = take_ptr(exits->items);
}

/* Of a call that is left by the dearest of its exits. */
unsigned int site_cost_ns(const struct site *site, const struct probe_costs *costs)
{
	unsigned int entry, exit = 0;

	if (!costs)
		costs = &typical;
	entry = site->is_optimised && costs->nop5_ns ? costs->nop5_ns
		: site->is_emulated		     ? costs->emulated_ns
						     : costs->stepped_ns;
	if (site->returns == SITE_RETURN_PROBE)
		exit = costs->return_ns;
	for (size_t i = 0; i < site->n_exits; i++) {
		unsigned int cost = site->exits[i].is_emulated ? costs->emulated_ns : costs->stepped_ns;

		if (cost > exit)
			exit = cost;
	}
	return entry + exit + RECORD_NS;
}

int site_choose(struct site_chooser *chooser, const struct symbol *symbol, enum site_mode mode, struct site *ret_site,
		struct why *why)
{
	_cleanup_(code_exits_done) struct code_exits exits = {};
	struct site site = {};
	int r;

	r = choose_entry(chooser, symbol, &site, why);
	if (r == 0)
		r = code_find_exits(chooser->code, symbol, &exits);
	if (r < 0)
		return r;
	choose_returns(chooser, symbol, mode, &exits, &site);
	*ret_site = site;
	return 0;
}
