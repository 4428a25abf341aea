/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each pointcut is asked about every function and static probe, also where an earlier one has selected it, since each wants to
 * know its own count. The lines of DWARF are read when the first function depends on them.
 */
#include "probe/joinpoint_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void joinpoint_done(struct joinpoint *joinpoint)
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

int search_find_source(void *opaque, const char **ret_path)
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

const char *search_program(const struct binary *binary)
{
	return binary->is_program ? binary_module_path(binary) : NULL;
}

int search_ask_atoms(struct search *search, const struct pointcut_subject *subject, struct selection *selection)
{
	const struct pointcut *inner;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < search->query->atoms->n_items; i++) {
		inner = pointcut_atoms_cflow(search->query->atoms, i);
		if (!inner || !(search->wanted_atoms & 1U << i))
			continue;
		r = pointcut_matches(inner, subject, selection->sets_atoms ? NULL : &selection->name, search->why);
		if (r > 0)
			selection->sets_atoms |= 1U << i;
	}
	return r < 0 ? r : 0;
}

int search_ask_aspects(struct search *search, const struct pointcut_subject *subject, struct selection *selection)
{
	struct pf_condition condition;
	const char *matched;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < search->query->n_aspects; i++) {
		search->selected[i] = false;
		if (!search->wants[i])
			continue;
		matched = NULL;
		r = pointcut_condition(search->query->aspects[i]->pointcut, search->query->atoms, subject,
				       selection->sets_atoms, &condition, &matched, search->why);
		if (r <= 0)
			continue;
		search->selected[i] = true;
		r = selection_add(selection, search->query->aspects, i, &condition, matched, search->why);
	}
	return r < 0 ? r : selection->aspect != JOINPOINT_OF_NONE || selection->sets_atoms;
}

int search_add(struct search *search, struct joinpoint *joinpoint)
{
	struct joinpoints *joinpoints = search->joinpoints;
	int r;

	r = array_grow(&joinpoints->items, joinpoints->n_items, sizeof(*joinpoints->items));
	if (r < 0) {
		joinpoint_done(joinpoint);
		return r;
	}
	joinpoints->items[joinpoints->n_items++] = *joinpoint;
	for (size_t i = 0; i < search->query->n_aspects; i++)
		search->matched[i] += search->selected[i];
	for (size_t i = 0; i < search->query->atoms->n_items; i++)
		search->followed[i] += joinpoint->sets_atoms >> i & 1;
	return 0;
}

int search_reject(struct search *search, uint64_t address, const char *name, const struct why *reason)
{
	struct joinpoints *joinpoints = search->joinpoints;
	struct rejected rejected = { .address = address };
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

static void prepare(struct search *search)
{
	const struct binary *binary = search->binary;

	for (size_t i = 0; i < search->query->n_aspects; i++) {
		const struct pointcut *pointcut = search->query->aspects[i]->pointcut;

		search->wants[i] = pointcut_wants_module(pointcut, binary_module_path(binary), binary->soname);
		if (!search->wants[i])
			continue;
		search->functions |= pointcut_wants_functions(pointcut);
		search->static_probes |= pointcut_wants_static_probes(pointcut);
		search->with_arguments |= pointcut_wants_arguments(pointcut);
		search->annotations |= pointcut_wants_annotations(pointcut);
	}
	for (size_t i = 0; i < search->query->atoms->n_items; i++) {
		const struct pointcut *inner = pointcut_atoms_cflow(search->query->atoms, i);

		if (inner && pointcut_wants_module(inner, binary_module_path(binary), binary->soname))
			search->wanted_atoms |= 1U << i;
	}
}

static int read_annotations(struct search *search)
{
	struct why reason = { 0 };
	int r;

	r = annotated_read(search->binary, search->symbols, &search->annotated);
	if (r < 0 || !search->annotated.fault)
		return r;
	why_say(&reason, -ENOENT, "%s", search->annotated.fault);
	return search_reject(search, 0, "annotated()", &reason);
}

static int search_all(struct search *search)
{
	int r = 0;

	prepare(search);
	if (search->annotations)
		r = read_annotations(search);
	if (r == 0 && search->functions)
		r = search_functions(search);
	if (r == 0 && search->static_probes)
		r = search_static_probes(search);
	annotated_done(&search->annotated);
	source_close(search->source);
	site_chooser_close(search->chooser);
	free(search->names);
	free(search->all);
	return r;
}

int joinpoints_find(struct binary *binary, const struct symbols *symbols, const struct joinpoint_query *query,
		    struct joinpoints *ret_joinpoints, struct why *why)
{
	_cleanup_(joinpoints_done) struct joinpoints joinpoints = {};
	_cleanup_free_ bool *wants = calloc(query->n_aspects + 1, sizeof(bool)),
			    *selected = calloc(query->n_aspects + 1, sizeof(bool));
	_cleanup_free_ size_t *matched = calloc(query->n_aspects + 1, sizeof(size_t));
	size_t followed[PF_MAX_ATOMS] = {};
	struct search search = {
		.binary = binary,
		.symbols = symbols,
		.query = query,
		.wants = wants,
		.selected = selected,
		.joinpoints = &joinpoints,
		.matched = matched,
		.followed = followed,
		.source_state = -EAGAIN,
		.why = why,
	};
	int r;

	if (!wants || !selected || !matched)
		return -ENOMEM;
	r = search_all(&search);
	if (r < 0)
		return why_set(why, r, "cannot look for functions in '%s'", binary->path);

	for (size_t i = 0; i < query->n_aspects; i++)
		query->matched[i] += matched[i];
	for (size_t i = 0; i < query->atoms->n_items; i++)
		query->followed[i] += followed[i];
	*ret_joinpoints = joinpoints;
	joinpoints = (struct joinpoints){};
	return 0;
}
