/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The symbols come sorted by address, so the names of one function stand together, and each group
 * is asked for as a whole. A name is demangled once, with its arguments only if a pointcut has
 * some. Each pointcut is asked about every group, also where an earlier one has selected it, since
 * each wants to know its own count.
 *
 * Candidates, for what a pointcut may have meant, are ranked by the last part of the name
 * ("compute" in "LAMMPS_NS::Pair::compute"): people err in one word at a time. The rank counts
 * mistypings (edit distance with swapped neighbours), and a little for case, a different qualifier,
 * or a longer name that holds what was asked for.
 */
#include "probe/joinpoint.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES	  5
#define MAX_WANTED	  16
#define MAX_WORD_BYTES	  64 /* longer ones are no typing errors */
#define MIN_SUBSTRING	  3
#define FAR		  1000
#define COST_OF_EDIT	  4
#define COST_OF_QUALIFIER 2

/* The names of a symbol, as far as they are needed; free with names_done(). */
struct names {
	char *plain, *with_arguments;
};

static void names_done(struct names *names)
{
	free(names->with_arguments);
	free(names->plain);
	*names = (struct names){};
}

/* A name that is not mangled leaves NULL. */
static int demangle(const struct symbol *symbol, bool with_arguments, struct names *names)
{
	int r;

	r = symbol_demangle(symbol->linker_name, false, &names->plain);
	if (r == 0 && with_arguments)
		r = symbol_demangle(symbol->linker_name, true, &names->with_arguments);
	return r == -ENOENT ? 0 : r;
}

void joinpoints_done(struct joinpoints *joinpoints)
{
	for (size_t i = 0; i < joinpoints->n_items; i++)
		free(joinpoints->items[i].name);
	free(joinpoints->items);
	*joinpoints = (struct joinpoints){};
}

struct search {
	struct binary *binary;
	const struct symbols *symbols;
	struct pointcut *const *pointcuts;
	size_t n_pointcuts;
	bool *wants;	     /* of each pointcut: whether it has to do with this binary */
	bool with_arguments; /* some pointcut asks for them */
	struct joinpoints *joinpoints;
	size_t *matched;
	bool *selected;	     /* of each pointcut: whether it selects the current group */
	struct names *names; /* of the current group */
	size_t names_room;
};

/* The symbols of the function that begins with symbol i end before the one returned. */
static size_t group_end(const struct symbols *symbols, size_t i)
{
	size_t end = i + 1;

	while (end < symbols->n_items && symbols->items[end].address == symbols->items[i].address)
		end++;
	return end;
}

/* The first name in the group that the pointcut selects, or NULL. */
static const char *match_group(const struct search *search, const struct pointcut *pointcut,
			       size_t start, size_t end)
{
	const char *matched;

	for (size_t i = start; i < end; i++) {
		const struct pointcut_names names = {
			.linker_name = search->symbols->items[i].linker_name,
			.plain = search->names[i - start].plain,
			.with_arguments = search->names[i - start].with_arguments,
		};

		if (pointcut_matches(pointcut, binary_module_path(search->binary), search->binary->soname,
				     &names, &matched))
			return matched;
	}
	return NULL;
}

static int add_joinpoint(struct search *search, const struct symbol *symbol, uint64_t size,
			 const char *name, const struct site *site)
{
	struct joinpoints *joinpoints = search->joinpoints;
	char *copy;
	int r;

	r = array_grow(&joinpoints->items, joinpoints->n_items, sizeof(*joinpoints->items));
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	joinpoints->items[joinpoints->n_items++] = (struct joinpoint){
		.name = copy,
		.address = symbol->address,
		.size = size,
		.site = *site,
	};
	return 0;
}

/* The size of a function that one of its names may not tell. */
static uint64_t group_size(const struct symbols *symbols, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++) {
		if (symbols->items[i].size)
			return symbols->items[i].size;
	}
	return 0;
}

static int ask_pointcuts(struct search *search, size_t start, size_t end)
{
	struct symbol symbol = search->symbols->items[start];
	const char *name = NULL, *matched;
	struct site site;
	int r;

	for (size_t i = 0; i < search->n_pointcuts; i++) {
		matched = search->wants[i] ? match_group(search, search->pointcuts[i], start, end)
					   : NULL;
		search->selected[i] = matched;
		if (!name)
			name = matched;
	}
	if (!name)
		return 0;

	symbol.size = group_size(search->symbols, start, end);
	r = site_choose(search->binary, &symbol, &site, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < search->n_pointcuts; i++)
		search->matched[i] += search->selected[i];
	return add_joinpoint(search, &symbol, symbol.size, name, &site);
}

static int make_room_for_names(struct search *search, size_t n)
{
	struct names *names;

	if (n <= search->names_room)
		return 0;
	names = reallocarray(search->names, n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	search->names = names;
	search->names_room = n;
	return 0;
}

static int search_group(struct search *search, size_t start, size_t end)
{
	size_t n = end - start;
	int r;

	r = make_room_for_names(search, n);
	if (r < 0)
		return r;
	memset(search->names, 0, n * sizeof(*search->names));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = demangle(&search->symbols->items[start + i], search->with_arguments,
			     &search->names[i]);
	if (r == 0)
		r = ask_pointcuts(search, start, end);
	for (size_t i = 0; i < n; i++)
		names_done(&search->names[i]);
	return r;
}

static bool prepare(struct search *search)
{
	const struct binary *binary = search->binary;
	bool wanted = false;

	for (size_t i = 0; i < search->n_pointcuts; i++) {
		search->wants[i] = pointcut_wants_module(search->pointcuts[i], binary_module_path(binary),
							 binary->soname);
		wanted |= search->wants[i];
		search->with_arguments |=
			search->wants[i] && pointcut_wants_arguments(search->pointcuts[i]);
	}
	return wanted;
}

int joinpoints_find(struct binary *binary, const struct symbols *symbols,
		    struct pointcut *const *pointcuts, size_t n, struct joinpoints *ret_joinpoints,
		    size_t *matched, struct why *why)
{
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = {};
	_cleanup_free_ bool *wants = calloc(n + 1, sizeof(bool)),
			    *selected = calloc(n + 1, sizeof(bool));
	_cleanup_free_ size_t *counts = calloc(n + 1, sizeof(size_t));
	struct search search = {
		.binary = binary,
		.symbols = symbols,
		.pointcuts = pointcuts,
		.n_pointcuts = n,
		.wants = wants,
		.selected = selected,
		.joinpoints = &joinpoints,
		.matched = counts,
	};
	size_t end;
	int r = 0;

	if (!wants || !selected || !counts)
		return -ENOMEM;
	if (prepare(&search)) {
		for (size_t i = 0; r == 0 && i < symbols->n_items; i = end) {
			end = group_end(symbols, i);
			r = search_group(&search, i, end);
		}
	}
	free(search.names);
	if (r < 0)
		return why_set(why, r, "cannot look for functions in '%s'", binary->path);

	for (size_t i = 0; i < n; i++)
		matched[i] += counts[i];
	*ret_joinpoints = joinpoints;
	joinpoints = (struct joinpoints){};
	return 0;
}

/* What a pattern asks for, taken apart. */
struct wanted {
	char *qualifier; /* "LAMMPS_NS::Pair", may be empty */
	char *word;	 /* the last part, in lower case, without glob characters */
	char *exact;	 /* the same, as it was written */
	bool has_arguments;
};

struct candidate {
	char *text; /* "module:name" */
	unsigned int cost;
};

struct candidates {
	struct wanted wanted[MAX_WANTED];
	size_t n_wanted;
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

static int add_wanted(struct candidates *candidates, const char *glob)
{
	struct wanted *wanted = &candidates->wanted[candidates->n_wanted];
	size_t end = arguments_start(glob), start = last_part(glob, end);

	candidates->n_wanted++;
	wanted->has_arguments = glob[end] == '(';
	wanted->exact = strndup(glob + start, end - start);
	wanted->qualifier = strndup(glob, start >= 2 ? start - 2 : 0);
	if (!wanted->exact || !wanted->qualifier)
		return -ENOMEM;
	drop_glob_characters(wanted->exact);
	drop_glob_characters(wanted->qualifier);
	wanted->word = lower(wanted->exact);
	return wanted->word ? 0 : -ENOMEM;
}

int candidates_new(const struct pointcut *pointcut, struct candidates **ret_candidates)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	_cleanup_(strings_done) struct strings globs = {};
	int r;

	candidates = calloc(1, sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	r = pointcut_name_globs(pointcut, &globs);
	for (size_t i = 0; r == 0 && i < globs.n_items && i < MAX_WANTED; i++)
		r = add_wanted(candidates, globs.items[i]);
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

/* How far a name, of which word is the last part in lower case, is from what is wanted. */
static unsigned int cost_of(const struct wanted *wanted, const char *name, size_t start,
			    const char *word)
{
	size_t n = strlen(wanted->word), m = strlen(word);
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

/* Puts it where it belongs among the best, unless it is there already. */
static int keep(struct candidates *candidates, const struct binary *binary, const char *name,
		unsigned int cost)
{
	struct candidate new = {.cost = cost};
	size_t at = candidates->n_best;

	while (at > 0 && candidates->best[at - 1].cost > cost)
		at--;
	if (at == MAX_CANDIDATES)
		return 0;
	if (asprintf(&new.text, "%s:%s", binary->name, name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < candidates->n_best; i++) {
		if (strcmp(candidates->best[i].text, new.text) == 0) {
			free(new.text);
			return 0;
		}
	}
	if (candidates->n_best == MAX_CANDIDATES)
		free(candidates->best[--candidates->n_best].text);
	memmove(&candidates->best[at + 1], &candidates->best[at],
		(candidates->n_best - at) * sizeof(*candidates->best));
	candidates->best[at] = new;
	candidates->n_best++;
	return 0;
}

static int consider(struct candidates *candidates, const struct binary *binary,
		    const struct symbol *symbol)
{
	_cleanup_(names_done) struct names names = {};
	_cleanup_free_ char *word = NULL;
	unsigned int cost = FAR, its_cost;
	bool with_arguments = false;
	const char *name;
	size_t start;
	int r;

	r = demangle(symbol, false, &names);
	if (r < 0)
		return r;
	name = names.plain ? names.plain : symbol->linker_name;
	start = last_part(name, strlen(name));
	word = lower(name + start);
	if (!word)
		return -ENOMEM;
	for (size_t i = 0; i < candidates->n_wanted; i++) {
		its_cost = cost_of(&candidates->wanted[i], name, start, word);
		if (its_cost < cost) {
			cost = its_cost;
			with_arguments = candidates->wanted[i].has_arguments;
		}
	}
	if (cost == FAR)
		return 0;
	/* the name may be right and the arguments wrong */
	if (with_arguments &&
	    symbol_demangle(symbol->linker_name, true, &names.with_arguments) == 0)
		name = names.with_arguments;
	return keep(candidates, binary, name, cost);
}

int candidates_consider(struct candidates *candidates, const struct binary *binary,
			const struct symbols *symbols)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items; i++)
		r = consider(candidates, binary, &symbols->items[i]);
	return r;
}

int candidates_list(struct candidates *candidates, struct strings *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < candidates->n_best; i++)
		r = strings_add(list, candidates->best[i].text);
	return r;
}
