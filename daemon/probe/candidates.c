/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * They are ranked by the last part of the name ("compute" in "LAMMPS_NS::Pair::compute"): people err in one word at a time. The
 * rank counts mistypings (edit distance with swapped neighbours), and a little for case, a different qualifier, or a longer name
 * that holds what was asked for.
 */
#include "probe/candidates.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/usdt.h"

#define MAX_CANDIDATES	  5
#define MAX_WANTED	  16
#define MAX_WORD_BYTES	  64 /* longer ones are no typing errors */
#define MIN_SUBSTRING	  3
#define FAR		  1000
#define COST_OF_EDIT	  4
#define COST_OF_QUALIFIER 2

/* What a pattern asks for, taken apart. */
struct wanted {
	bool is_static_probe;
	char *qualifier; /* "LAMMPS_NS::Pair", may be empty; of a static probe the provider */
	char *word;	 /* the last part, in lower case, without glob characters */
	char *exact;	 /* the same, as it was written */
	bool has_arguments;
};

struct candidate {
	char *text; /* "module:name" or "usdt(provider:name)" */
	unsigned int cost;
};

struct candidates {
	struct wanted wanted[MAX_WANTED];
	size_t n_wanted;
	bool wants_static_probes;
	struct candidate best[MAX_CANDIDATES]; /* nearest first */
	size_t n_best;
};

/*
 * Where the argument list begins, or the end: the last "(...)" on the outside that has a name
 * before it.
 */
static size_t arguments_start(const char *name)
{
	size_t end = strlen(name), depth = 0;

	if (end == 0 || name[end - 1] != ')')
		return end;
	for (size_t i = end; i-- > 0;) {
		depth += name[i] == ')';
		depth -= name[i] == '(';
		if (depth == 0)
			return i > 0 ? i : end;
	}
	return end;
}

/* Where the last part of a qualified name begins: behind the last "::" outside of all brackets. */
static size_t last_part(const char *name, size_t length)
{
	size_t depth = 0, start = 0;

	for (size_t i = 0; i < length; i++) {
		if (strchr("(<{", name[i]) && name[i])
			depth++;
		else if (strchr(")>}", name[i]) && name[i] && depth)
			depth--;
		else if (depth == 0 && i + 1 < length && name[i] == ':' && name[i + 1] == ':')
			start = i + 2;
	}
	return start;
}

static char *lower(const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		*p = tolower((unsigned char)*p);
	return copy;
}

static void drop_glob_characters(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (!strchr("*?[]!\\", *from))
			*to++ = *from;
	}
	*to = '\0';
}

/* Takes both parts; either is NULL for want of memory. */
static int add_wanted(struct candidates *candidates, const struct wanted *parts)
{
	struct wanted *wanted = &candidates->wanted[candidates->n_wanted++];

	*wanted = *parts;
	if (!wanted->exact || !wanted->qualifier)
		return -ENOMEM;
	drop_glob_characters(wanted->exact);
	drop_glob_characters(wanted->qualifier);
	wanted->word = lower(wanted->exact);
	return wanted->word ? 0 : -ENOMEM;
}

static int add_wanted_name(struct candidates *candidates, const char *glob)
{
	size_t end = arguments_start(glob), start = last_part(glob, end);

	return add_wanted(candidates, &(struct wanted){
					      .has_arguments = glob[end] == '(',
					      .exact = strndup(glob + start, end - start),
					      .qualifier = strndup(glob, start >= 2 ? start - 2 : 0),
				      });
}

/* "provider:name" */
static int add_wanted_probe(struct candidates *candidates, const char *glob)
{
	size_t end = strcspn(glob, ":");

	candidates->wants_static_probes = true;
	return add_wanted(candidates, &(struct wanted){
					      .is_static_probe = true,
					      .exact = strdup(glob + end + 1),
					      .qualifier = strndup(glob, end),
				      });
}

int candidates_new(const struct pointcut *pointcut, struct candidates **ret_candidates)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	_cleanup_(strings_done) struct strings globs = {}, probes = {};
	int r;

	candidates = calloc(1, sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	r = pointcut_name_globs(pointcut, &globs);
	if (r == 0)
		r = pointcut_static_probe_globs(pointcut, &probes);
	for (size_t i = 0; r == 0 && i < globs.n_items && candidates->n_wanted < MAX_WANTED; i++)
		r = add_wanted_name(candidates, globs.items[i]);
	for (size_t i = 0; r == 0 && i < probes.n_items && candidates->n_wanted < MAX_WANTED; i++)
		r = add_wanted_probe(candidates, probes.items[i]);
	if (r < 0)
		return r;

	*ret_candidates = take_ptr(candidates);
	return 0;
}

void candidates_free(struct candidates *candidates)
{
	if (!candidates)
		return;

	for (size_t i = 0; i < candidates->n_best; i++)
		free(candidates->best[i].text);
	for (size_t i = 0; i < candidates->n_wanted; i++) {
		free(candidates->wanted[i].word);
		free(candidates->wanted[i].exact);
		free(candidates->wanted[i].qualifier);
	}
	free(candidates);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * Insertions, deletions, replacements and swaps of neighbours between the two; FAR if more than
 * max.
 */
static unsigned int edits(const char *a, size_t n, const char *b, size_t m, unsigned int max)
{
	unsigned int rows[3][MAX_WORD_BYTES + 1], *before = rows[0], *last = rows[1],
						  *row = rows[2], *spare;

	if (n > MAX_WORD_BYTES || m > MAX_WORD_BYTES || (n > m ? n - m : m - n) > max)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned int best = row[0] = i;

		for (size_t j = 1; j <= m; j++) {
			row[j] = least(least(last[j], row[j - 1]) + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
			best = least(best, row[j]);
		}
		if (best > max)
			return FAR;
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[m] <= max ? last[m] : FAR;
}

/* A template is often asked for without its arguments. */
static size_t compared_bytes(const struct wanted *wanted, const char *word)
{
	size_t before = strcspn(word, "<");

	return strchr(wanted->word, '<') || strncmp(word, "operator", 8) == 0 || !before ? strlen(word) : before;
}

/* How far a name, of which word is the last part in lower case, is from what is wanted. */
static unsigned int cost_of(const struct wanted *wanted, const char *name, size_t start,
			    const char *word)
{
	size_t n = strlen(wanted->word), m = compared_bytes(wanted, word);
	unsigned int distance, cost;

	if (n == 0)
		return FAR;
	distance = edits(wanted->word, n, word, m, n < 3 ? 1 : n / 3 < 3 ? n / 3 : 3);
	if (distance < FAR)
		cost = COST_OF_EDIT * distance +
		       (distance == 0 && strcmp(wanted->exact, name + start) != 0);
	else if (n >= MIN_SUBSTRING && strstr(word, wanted->word))
		cost = COST_OF_EDIT + (m - n < 32 ? m - n : 32) / 2;
	else
		return FAR;
	if (wanted->qualifier[0] && !strcasestr(name, wanted->qualifier))
		cost += COST_OF_QUALIFIER;
	return cost;
}

/* Puts it where it belongs among the best, unless it is there already. Takes the text. */
static void keep(struct candidates *candidates, char *text, unsigned int cost)
{
	size_t at = candidates->n_best;
	bool is_known = false;

	while (at > 0 && candidates->best[at - 1].cost > cost)
		at--;
	for (size_t i = 0; i < candidates->n_best && !is_known; i++)
		is_known = strcmp(candidates->best[i].text, text) == 0;
	if (at == MAX_CANDIDATES || is_known) {
		free(text);
		return;
	}
	if (candidates->n_best == MAX_CANDIDATES)
		free(candidates->best[--candidates->n_best].text);
	memmove(&candidates->best[at + 1], &candidates->best[at],
		(candidates->n_best - at) * sizeof(*candidates->best));
	candidates->best[at] = (struct candidate){text, cost};
	candidates->n_best++;
}

static int consider(struct candidates *candidates, const struct binary *binary,
		    const struct symbol *symbol)
{
	_cleanup_free_ char *plain = NULL, *full = NULL, *word = NULL;
	unsigned int cost = FAR, its_cost;
	bool with_arguments = false;
	const char *name;
	size_t start;
	char *text;
	int r;

	r = symbol_demangle(symbol->linker_name, false, &plain);
	if (r < 0 && r != -ENOENT)
		return r;
	name = plain ?: symbol->linker_name;
	start = last_part(name, strlen(name));
	word = lower(name + start);
	if (!word)
		return -ENOMEM;
	for (size_t i = 0; i < candidates->n_wanted; i++) {
		if (candidates->wanted[i].is_static_probe)
			continue;
		its_cost = cost_of(&candidates->wanted[i], name, start, word);
		if (its_cost < cost) {
			cost = its_cost;
			with_arguments = candidates->wanted[i].has_arguments;
		}
	}
	if (cost == FAR)
		return 0;
	/* the name may be right and the arguments wrong */
	if (with_arguments && symbol_demangle(symbol->linker_name, true, &full) == 0)
		name = full;
	if (asprintf(&text, "%s:%s", binary->name, name) < 0)
		return -ENOMEM;
	keep(candidates, text, cost);
	return 0;
}

static int consider_probe(struct candidates *candidates, const struct usdt_probe *probe)
{
	_cleanup_free_ char *name = NULL, *word = lower(probe->name);
	unsigned int cost = FAR, its_cost;
	char *text;

	if (!word || asprintf(&name, "%s:%s", probe->provider, probe->name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < candidates->n_wanted; i++) {
		if (!candidates->wanted[i].is_static_probe)
			continue;
		its_cost = cost_of(&candidates->wanted[i], name, strlen(probe->provider) + 1, word);
		if (its_cost < cost)
			cost = its_cost;
	}
	if (cost == FAR)
		return 0;
	if (asprintf(&text, "usdt(%s)", name) < 0)
		return -ENOMEM;
	keep(candidates, text, cost);
	return 0;
}

static int consider_probes(struct candidates *candidates, const struct binary *binary)
{
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	struct why ignored = {};
	int r;

	r = usdt_read(binary, &probes, &ignored);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < probes.n_items; i++)
		r = consider_probe(candidates, &probes.items[i]);
	return r;
}

int candidates_consider(struct candidates *candidates, const struct binary *binary,
			const struct symbols *symbols)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items; i++)
		r = consider(candidates, binary, &symbols->items[i]);
	if (r == 0 && candidates->wants_static_probes)
		r = consider_probes(candidates, binary);
	return r;
}

int candidates_list(struct candidates *candidates, struct strings *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < candidates->n_best; i++)
		r = strings_add(list, candidates->best[i].text);
	return r;
}