/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The symbols come sorted by address, so the names of one function stand together, and each group
 * is asked for as a whole. A name is demangled once, with its arguments only if a pointcut has
 * some. Each pointcut is asked about every group, also where an earlier one has selected it, since
 * each wants to know its own count. The lines of DWARF are read when the first function depends on
 * them; a static probe is in the source file of the function around it.
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

#include "binary/source.h"
#include "binary/usdt.h"

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

static void joinpoint_done(struct joinpoint *joinpoint)
{
	free(joinpoint->name);
	free(joinpoint->annotation);
	free(joinpoint->arguments);
	site_done(&joinpoint->site);
}

void joinpoints_done(struct joinpoints *joinpoints)
{
	for (size_t i = 0; i < joinpoints->n_items; i++)
		joinpoint_done(&joinpoints->items[i]);
	free(joinpoints->items);
	for (size_t i = 0; i < joinpoints->n_rejected; i++) {
		free(joinpoints->rejected[i].name);
		free(joinpoints->rejected[i].reason);
	}
	free(joinpoints->rejected);
	*joinpoints = (struct joinpoints){};
}

struct search {
	struct binary *binary;
	const struct symbols *symbols;
	const struct aspect *const *aspects;
	size_t n_aspects;
	bool *wants;	     /* of each aspect: whether it has to do with this binary */
	bool with_arguments; /* some pointcut asks for them */
	bool functions, static_probes; /* which of them any pointcut may select */
	struct source *source;
	int source_state;   /* of source: -EAGAIN until it was opened, 0, or why it could not be */
	uint64_t source_address; /* of the function whose source file is asked for */
	struct site_chooser *chooser; /* opened for the first function that is selected */
	struct joinpoints *joinpoints;
	size_t *matched;
	bool *selected;	     /* of each aspect: whether it selects the current subject */
	struct names *names; /* of the current group */
	struct pointcut_names *all; /* the same with the linker's names */
	size_t names_room;
	struct why *why;
};

/* The symbols of the function that begins with symbol i end before the one returned. */
static size_t group_end(const struct symbols *symbols, size_t i)
{
	size_t end = i + 1;

	while (end < symbols->n_items && symbols->items[end].address == symbols->items[i].address)
		end++;
	return end;
}

static int find_source(void *opaque, const char **ret_path)
{
	struct search *search = opaque;
	unsigned int line;

	if (search->source_state == -EAGAIN)
		search->source_state = source_open(search->binary, search->symbols, &search->source);
	if (search->source_state == -ENOMEM)
		return -ENOMEM;
	return search->source_state < 0 ? -ENOENT
					: source_find(search->source, search->source_address, ret_path, &line);
}

/* Which aspects select it goes to search->selected. Returns how many; *ret_first is the first, and *ret_name its name. */
/* A program's functions run in no other program; those of a library may run in any. */
static const char *program_of(const struct binary *binary)
{
	return binary->is_program ? binary_module_path(binary) : NULL;
}

static int ask_aspects(struct search *search, const struct pointcut_subject *subject, size_t *ret_first,
		       const char **ret_name)
{
	const char *matched;
	int n = 0, r;

	for (size_t i = 0; i < search->n_aspects; i++) {
		search->selected[i] = false;
		if (!search->wants[i])
			continue;
		matched = NULL;
		r = pointcut_matches(search->aspects[i]->pointcut, subject, &matched, search->why);
		if (r < 0)
			return r;
		search->selected[i] = r;
		if (r && n++ == 0) {
			*ret_first = i;
			*ret_name = matched;
		}
	}
	return n;
}

/* Takes what the join point owns, whatever happens. */
static int add_joinpoint(struct search *search, struct joinpoint *joinpoint)
{
	struct joinpoints *joinpoints = search->joinpoints;
	int r;

	r = array_grow(&joinpoints->items, joinpoints->n_items, sizeof(*joinpoints->items));
	if (r < 0) {
		joinpoint_done(joinpoint);
		return r;
	}
	joinpoints->items[joinpoints->n_items++] = *joinpoint;
	for (size_t i = 0; i < search->n_aspects; i++)
		search->matched[i] += search->selected[i];
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

static enum site_mode mode_of(const struct aspect *aspect)
{
	return aspect->returns;
}

static int choose_site(struct search *search, const struct symbol *symbol, size_t aspect, struct site *ret_site,
		       struct why *reason)
{
	int r;

	if (!search->chooser) {
		r = site_chooser_open(search->binary, search->symbols, &search->chooser, search->why);
		if (r < 0)
			return r;
	}
	return site_choose(search->chooser, symbol, mode_of(search->aspects[aspect]), ret_site, reason);
}

static int add_rejected(struct search *search, const struct symbol *symbol, const char *name, const struct why *reason)
{
	struct joinpoints *joinpoints = search->joinpoints;
	struct rejected rejected = { .address = symbol->address };
	int r;

	r = array_grow(&joinpoints->rejected, joinpoints->n_rejected, sizeof(*joinpoints->rejected));
	if (r < 0)
		return r;
	rejected.name = strdup(name);
	rejected.reason = strdup(why_text(reason, -ENOENT));
	if (!rejected.name || !rejected.reason) {
		free(rejected.name);
		free(rejected.reason);
		return -ENOMEM;
	}
	joinpoints->rejected[joinpoints->n_rejected++] = rejected;
	return 0;
}

static int add_function(struct search *search, const struct symbol *symbol, size_t aspect, const char *name)
{
	struct joinpoint joinpoint = {
		.address = symbol->address,
		.size = symbol->size,
		.aspect = aspect,
	};
	struct why reason = {0};
	int r;

	r = choose_site(search, symbol, aspect, &joinpoint.site, &reason);
	if (r < 0)
		return r == -ENOENT ? add_rejected(search, symbol, name, &reason) : r;
	joinpoint.name = strdup(name);
	joinpoint.annotation = symbol->annotation ? strdup(symbol->annotation) : NULL;
	if (!joinpoint.name || (symbol->annotation && !joinpoint.annotation)) {
		joinpoint_done(&joinpoint);
		return -ENOMEM;
	}
	return add_joinpoint(search, &joinpoint);
}

static int ask_about_function(struct search *search, size_t start, size_t end)
{
	struct symbol symbol = search->symbols->items[start];
	struct pointcut_subject subject = {
		.module_path = binary_module_path(search->binary),
		.soname = search->binary->soname,
		.program = program_of(search->binary),
		.names = search->all,
		.n_names = end - start,
		.is_annotated = symbol.annotation,
		.find_source = find_source,
		.opaque = search,
	};
	const char *name = NULL;
	size_t aspect = 0;
	int r;

	symbol.size = subject.size = group_size(search->symbols, start, end);
	search->source_address = symbol.address;
	r = ask_aspects(search, &subject, &aspect, &name);
	if (r <= 0)
		return r;
	if (!name)
		name = search->all[0].plain ? search->all[0].plain : symbol.linker_name;
	return add_function(search, &symbol, aspect, name);
}

static int make_room_for_names(struct search *search, size_t n)
{
	struct pointcut_names *all;
	struct names *names;

	if (n <= search->names_room)
		return 0;
	names = reallocarray(search->names, n, sizeof(*names));
	if (!names)
		return -ENOMEM;
	search->names = names;
	all = reallocarray(search->all, n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	search->all = all;
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
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = demangle(&search->symbols->items[start + i], search->with_arguments, &search->names[i]);
		search->all[i] = (struct pointcut_names){
			.linker_name = search->symbols->items[start + i].linker_name,
			.plain = search->names[i].plain,
			.with_arguments = search->names[i].with_arguments,
		};
	}
	if (r == 0)
		r = ask_about_function(search, start, end);
	for (size_t i = 0; i < n; i++)
		names_done(&search->names[i]);
	return r;
}

static int search_functions(struct search *search)
{
	const struct symbols *symbols = search->symbols;
	size_t end;
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items; i = end) {
		end = group_end(symbols, i);
		r = search_group(search, i, end);
	}
	return r;
}

/* The address of the last function that begins at or before an address. */
static uint64_t function_around(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->n_items, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? symbols->items[low - 1].address : 0;
}

static int add_static_probe(struct search *search, const struct usdt_probe *probe, size_t aspect)
{
	struct joinpoint joinpoint = {
		.kind = JOINPOINT_STATIC_PROBE,
		.address = probe->address,
		.aspect = aspect,
		.site = {.entry_offset = probe->file_offset,
			 .instruction = "nop",
			 .is_emulated = true,
			 .returns = SITE_ENTRY_ONLY,
			 .reason = "a static probe is a place, not a function"},
		.arguments = strdup(probe->arguments),
		.semaphore_offset = probe->semaphore_offset,
	};

	if (!joinpoint.arguments)
		return -ENOMEM;
	if (asprintf(&joinpoint.name, "%s:%s", probe->provider, probe->name) < 0) {
		free(joinpoint.arguments);
		return -ENOMEM;
	}
	return add_joinpoint(search, &joinpoint);
}

static int ask_about_static_probe(struct search *search, const struct usdt_probe *probe)
{
	const struct pointcut_subject subject = {
		.module_path = binary_module_path(search->binary),
		.soname = search->binary->soname,
		.program = program_of(search->binary),
		.provider = probe->provider,
		.probe = probe->name,
		.find_source = find_source,
		.opaque = search,
	};
	const struct joinpoints *joinpoints = search->joinpoints;
	const char *name;
	size_t aspect = 0;
	int r;

	search->source_address = function_around(search->symbols, probe->address);
	r = ask_aspects(search, &subject, &aspect, &name);
	if (r <= 0)
		return r;
	/* two marks on one instruction are hit together: they are one */
	if (joinpoints->n_items && joinpoints->items[joinpoints->n_items - 1].kind == JOINPOINT_STATIC_PROBE &&
	    joinpoints->items[joinpoints->n_items - 1].address == probe->address)
		return 0;
	return add_static_probe(search, probe, aspect);
}

static int by_address(const void *a, const void *b)
{
	const struct joinpoint *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return (int)left->kind - (int)right->kind;
}

static int search_static_probes(struct search *search)
{
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	struct joinpoints *joinpoints = search->joinpoints;
	int r;

	r = usdt_read(search->binary, &probes, search->why);
	for (size_t i = 0; r == 0 && i < probes.n_items; i++)
		r = ask_about_static_probe(search, &probes.items[i]);
	if (r == 0 && joinpoints->n_items)
		qsort(joinpoints->items, joinpoints->n_items, sizeof(*joinpoints->items), by_address);
	return r;
}

static void prepare(struct search *search)
{
	const struct binary *binary = search->binary;

	for (size_t i = 0; i < search->n_aspects; i++) {
		const struct pointcut *pointcut = search->aspects[i]->pointcut;

		search->wants[i] = pointcut_wants_module(pointcut, binary_module_path(binary), binary->soname);
		if (!search->wants[i])
			continue;
		search->functions |= pointcut_wants_functions(pointcut);
		search->static_probes |= pointcut_wants_static_probes(pointcut);
		search->with_arguments |= pointcut_wants_arguments(pointcut);
	}
}

static int search_all(struct search *search)
{
	int r = 0;

	prepare(search);
	if (search->functions)
		r = search_functions(search);
	if (r == 0 && search->static_probes)
		r = search_static_probes(search);
	source_close(search->source);
	site_chooser_close(search->chooser);
	free(search->names);
	free(search->all);
	return r;
}

int joinpoints_find(struct binary *binary, const struct symbols *symbols,
		    const struct aspect *const *aspects, size_t n, struct joinpoints *ret_joinpoints,
		    size_t *matched, struct why *why)
{
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = {};
	_cleanup_free_ bool *wants = calloc(n + 1, sizeof(bool)),
			    *selected = calloc(n + 1, sizeof(bool));
	_cleanup_free_ size_t *counts = calloc(n + 1, sizeof(size_t));
	struct search search = {
		.binary = binary,
		.symbols = symbols,
		.aspects = aspects,
		.n_aspects = n,
		.wants = wants,
		.selected = selected,
		.joinpoints = &joinpoints,
		.matched = counts,
		.source_state = -EAGAIN,
		.why = why,
	};
	int r;

	if (!wants || !selected || !counts)
		return -ENOMEM;
	r = search_all(&search);
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
