/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The symbols come sorted by address, so the names of one function stand together, and each group is asked for as a whole. A name
 * is demangled once, with its arguments only if a pointcut has some.
 *
 * What a cflow() names is asked for first: a function is inside of itself, so the atoms that it sets hold at its own entry.
 * Advice that needs the return, and a cflow(), are refused where the return is not seen.
 */
#include "probe/joinpoint_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* The symbols of the function that begins with symbol i end before the one returned. */
static size_t group_end(const struct symbol *symbols, size_t n, size_t i)
{
	size_t end = i + 1;

	while (end < n && symbols[end].address == symbols[i].address)
		end++;
	return end;
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

/* What is recorded at the entry alone need not see the return. */
static enum site_mode mode_of(const struct search *search, const struct selection *selection, bool is_woven)
{
	const struct aspect *aspect;

	if (is_woven)
		return SITE_MODE_NEVER;
	if (selection->aspect == JOINPOINT_OF_NONE)
		return search->query->returns;
	aspect = search->query->aspects[selection->aspect];
	return aspect_sees_return(aspect) || selection->sets_atoms ? aspect->returns : SITE_MODE_NEVER;
}

static int choose_site(struct search *search, const struct symbol *symbol, const struct selection *selection,
		       bool is_woven, struct site *ret_site, struct why *reason)
{
	int r;

	if (!search->chooser) {
		r = site_chooser_open(search->binary, search->symbols, &search->chooser, search->why);
		if (r < 0)
			return r;
	}
	return site_choose(search->chooser, symbol, mode_of(search, selection, is_woven), ret_site, reason);
}

/* Whether what is recorded makes no sense without the return. */
static bool needs_return(const struct aspect *aspect)
{
	return aspect->advice == ASPECT_AROUND_ASYNC || !aspect_sees_entry(aspect) || aspect_begins_late(aspect);
}

/* Where the return is not seen: drops what needs it from the join point. */
static int drop_returns(struct search *search, struct joinpoint *joinpoint, const char *name)
{
	const char *because = joinpoint->site.reason ?: "its exits are not known";
	struct why reason = { 0 };
	int r = 0;

	if (joinpoint->sets_atoms) {
		why_say(&reason, -ENOENT, "cflow() cannot follow it: its return is not seen, since %s", because);
		r = search_reject(search, joinpoint->address, name, &reason);
		joinpoint->sets_atoms = 0;
	}
	if (r < 0 || joinpoint->aspect == JOINPOINT_OF_NONE ||
	    !needs_return(search->query->aspects[joinpoint->aspect]))
		return r;
	reason = (struct why){ 0 };
	why_say(&reason, -ENOENT, "its return is not seen, since %s", because);
	joinpoint->aspect = JOINPOINT_OF_NONE;
	return search_reject(search, joinpoint->address, name, &reason);
}

static int add_function(struct search *search, const struct symbol *symbol, const struct selection *selection,
			enum woven woven, const char *name)
{
	struct joinpoint joinpoint = {
		.address = symbol->address,
		.size = symbol->size,
		.aspect = selection->aspect,
		.overruled = selection->overruled,
		.condition = selection->condition,
		.sets_atoms = selection->sets_atoms,
		.woven = woven,
	};
	struct why reason = {0};
	int r;

	r = choose_site(search, symbol, selection, joinpoint.woven, &joinpoint.site, &reason);
	if (r < 0)
		return r == -ENOENT ? search_reject(search, symbol->address, name, &reason) : r;
	if (joinpoint.site.returns == SITE_ENTRY_ONLY && !joinpoint.woven) {
		r = drop_returns(search, &joinpoint, name);
		if (r < 0 || (joinpoint.aspect == JOINPOINT_OF_NONE && !joinpoint.sets_atoms)) {
			joinpoint_done(&joinpoint);
			return r;
		}
	}
	joinpoint.name = strdup(name);
	joinpoint.annotation = selection->annotation ? strdup(selection->annotation) : NULL;
	if (!joinpoint.name || (selection->annotation && !joinpoint.annotation)) {
		joinpoint_done(&joinpoint);
		return -ENOMEM;
	}
	return search_add(search, &joinpoint);
}

static int ask_all(struct search *search, const struct pointcut_subject *subject, struct selection *ret_selection)
{
	struct selection selection = { .aspect = JOINPOINT_OF_NONE, .overruled = JOINPOINT_OF_NONE };
	int r;

	r = search_ask_atoms(search, subject, &selection);
	if (r == 0)
		r = search_ask_aspects(search, subject, &selection);
	*ret_selection = selection;
	return r;
}

/* A malformed annotation is none; whoever asked for it is told. */
static int ask_about_malformed(struct search *search, const struct pointcut_subject *subject, const struct symbol *symbol,
			       const char *fault)
{
	struct pointcut_subject annotated = *subject;
	struct selection selection;
	struct why reason = { 0 };
	int r;

	annotated.is_annotated = true;
	r = ask_all(search, &annotated, &selection);
	if (r <= 0)
		return r;
	why_say(&reason, -ENOENT, "%s", fault);
	return search_reject(search, symbol->address, search->all[0].plain ?: symbol->linker_name, &reason);
}

static enum woven find_woven(const struct search *search, size_t start, size_t end)
{
	enum woven woven = WOVEN_NOT;

	for (size_t i = start; i < end && !woven; i++)
		woven = woven_find(search->symbols->items[i].linker_name);
	return woven;
}

static bool asks_for_annotations(const struct search *search, const struct selection *selection)
{
	return pointcut_wants_annotations(search->query->aspects[selection->aspect]->pointcut);
}

static int refuse_woven(struct search *search, const struct symbol *symbol)
{
	struct why reason = { 0 };

	why_say(&reason, -ENOENT, "it tells of functions that PerfFlowAspect has woven, each by the advice of its own annotation");
	return search_reject(search, symbol->address, symbol->linker_name, &reason);
}

/* Whether it is recorded what a function of PerfFlowAspect's runtime is told, and not that it is called. */
static bool is_told_by(const struct search *search, const struct selection *selection)
{
	return selection->aspect != JOINPOINT_OF_NONE && !selection->sets_atoms &&
	       aspect_follows_annotations(search->query->aspects[selection->aspect]);
}

static int ask_about_function(struct search *search, size_t start, size_t end)
{
	struct symbol symbol = search->symbols->items[start];
	const struct annotated_function *annotated = annotated_find(&search->annotated, symbol.address);
	enum woven woven = search->annotations ? find_woven(search, start, end) : WOVEN_NOT;
	struct pointcut_subject subject = {
		.module_path = binary_module_path(search->binary),
		.soname = search->binary->soname,
		.program = search_program(search->binary),
		.names = search->all,
		.n_names = end - start,
		.is_annotated = (annotated && !annotated->fault) || woven,
		.find_source = search_find_source,
		.opaque = search,
	};
	struct selection selection;
	int r;

	symbol.size = subject.size = group_size(search->symbols, start, end);
	search->source_address = symbol.address;
	r = ask_all(search, &subject, &selection);
	if (r == 0 && annotated && annotated->fault)
		return ask_about_malformed(search, &subject, &symbol, annotated->fault);
	if (r <= 0)
		return r;
	selection.annotation = annotated && !annotated->fault ? annotated->annotation : NULL;
	if (woven && !is_told_by(search, &selection)) {
		if (selection.aspect != JOINPOINT_OF_NONE && asks_for_annotations(search, &selection))
			return refuse_woven(search, &symbol);
		woven = WOVEN_NOT;
	}
	return add_function(search, &symbol, &selection, woven,
			    selection.name ?: search->all[0].plain ?: symbol.linker_name);
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

static int name_all(struct search *search, const struct symbol *symbols, size_t n)
{
	int r;

	r = make_room_for_names(search, n);
	if (r < 0)
		return r;
	memset(search->names, 0, n * sizeof(*search->names));
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = demangle(&symbols[i], search->with_arguments, &search->names[i]);
		search->all[i] = (struct pointcut_names){
			.linker_name = symbols[i].linker_name,
			.plain = search->names[i].plain,
			.with_arguments = search->names[i].with_arguments,
		};
	}
	return r;
}

static void forget_names(struct search *search, size_t n)
{
	for (size_t i = 0; i < n && i < search->names_room; i++)
		names_done(&search->names[i]);
}

static int search_group(struct search *search, size_t start, size_t end)
{
	int r;

	r = name_all(search, search->symbols->items + start, end - start);
	if (r == 0)
		r = ask_about_function(search, start, end);
	forget_names(search, end - start);
	return r;
}

static int ask_about_left_out(struct search *search, const struct symbol *symbols, size_t n)
{
	const struct pointcut_subject subject = {
		.module_path = binary_module_path(search->binary),
		.soname = search->binary->soname,
		.program = search_program(search->binary),
		.names = search->all,
		.n_names = n,
		.size = symbols->size,
		.find_source = search_find_source,
		.opaque = search,
	};
	struct selection selection;
	struct why reason = { 0 };
	int r;

	search->source_address = symbols->address;
	r = ask_all(search, &subject, &selection);
	if (r <= 0)
		return r;
	why_say(&reason, -ENOENT, "'%s' cannot be probed: %s", symbols->linker_name, symbols_left_out_because(symbols, n));
	return search_reject(search, symbols->address, selection.name ?: search->all[0].plain ?: symbols->linker_name, &reason);
}

static int search_left_out(struct search *search)
{
	const struct symbols *symbols = search->symbols;
	size_t end;
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_left_out; i = end) {
		end = group_end(symbols->left_out, symbols->n_left_out, i);
		r = name_all(search, symbols->left_out + i, end - i);
		if (r == 0)
			r = ask_about_left_out(search, symbols->left_out + i, end - i);
		forget_names(search, end - i);
	}
	return r;
}

int search_functions(struct search *search)
{
	const struct symbols *symbols = search->symbols;
	size_t end;
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items; i = end) {
		end = group_end(symbols->items, symbols->n_items, i);
		r = search_group(search, i, end);
	}
	if (r == 0 && search->query->tells_left_out)
		r = search_left_out(search);
	return r;
}
