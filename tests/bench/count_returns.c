/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * count_returns FILE...: how many of these programs get return probes in their own functions and in those of their libraries,
 * and why the others do not. What is no program, or not for this machine, does not count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/loader.h"
#include "binary/unwind.h"
#include "binary/view.h"
#include "probe/site.h"

#define MAX_REASONS 64

struct tally {
	const char *reasons[MAX_REASONS];
	size_t counts[MAX_REASONS], n_reasons;
};

static void count(struct tally *tally, const char *reason)
{
	size_t i = 0;

	while (i < tally->n_reasons && strcmp(tally->reasons[i], reason) != 0)
		i++;
	if (i == MAX_REASONS)
		abort();
	tally->reasons[i] = reason;
	tally->n_reasons += i == tally->n_reasons;
	tally->counts[i]++;
}

/* Why not in the program's own functions, or NULL. */
static const char *distrust_own(const struct binary *binary, const struct strings *paths)
{
	_cleanup_(unwind_done) struct unwind unwind = { 0 };

	if (binary->is_go)
		return "it is written in Go, which moves its stacks";
	if (unwind_read(binary, &unwind) < 0)
		abort();
	if (unwind.may_unwind)
		return unwind.reason;
	return unwind.uses_several_stacks ? "it switches stacks" : site_distrust(paths);
}

static bool count_program(const struct loader_context *context, const char *path, struct tally *own, struct tally *libraries)
{
	_cleanup_(strings_done) struct strings paths = { 0 };
	_cleanup_(binary_freep) struct binary *binary = NULL;
	struct why ignored = { 0 };
	const char *reason;

	if (binary_open(path, &binary, &ignored) < 0 || !binary->is_program ||
	    loader_closure(context, path, &paths, &ignored) < 0)
		return false;
	count(own, distrust_own(binary, &paths) ?: "(return probes)");
	reason = site_distrust(&paths);
	count(libraries, reason ?: site_distrust_libraries(&paths, true) ?: "(return probes)");
	return true;
}

static void print(const char *title, const struct tally *tally)
{
	printf("%s\n", title);
	for (size_t i = 0; i < tally->n_reasons; i++)
		printf("%6zu  %s\n", tally->counts[i], tally->reasons[i]);
}

int main(int argc, char **argv)
{
	const struct loader_context context = { .root = "", .directory = "/" };
	struct tally own = { 0 }, libraries = { 0 };
	size_t n = 0;

	for (int i = 1; i < argc; i++)
		n += count_program(&context, argv[i], &own, &libraries);
	printf("%zu programs\n", n);
	print("their own functions:", &own);
	print("functions of their libraries, on a kernel with session links:", &libraries);
	return 0;
}
