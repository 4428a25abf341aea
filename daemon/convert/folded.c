/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A line a stack: the names from the outside in, with ';' between, and the nanoseconds that passed
 * in the innermost one itself. The outermost two are the process and the thread. What has the same
 * names is one: the ranks of a job, say. Stacks are kept as a tree, so a name is there once.
 */
#include "convert/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "reader/names.h"

#define NO_NODE UINT32_MAX

struct node {		 /* a stack: its innermost name, and the stack around it */
	uint32_t parent; /* or NO_NODE */
	uint32_t name;
	uint64_t self_ns;
};

struct folded {
	struct conversion conversion;
	struct nest *nest;
	struct names names;
	struct node *nodes;
	size_t n_nodes;
	struct hash by_step; /* parent and name -> number of the node + 1 */
	uint32_t current;
	int64_t current_lane; /* or -1 */
};

static int folded_begin(struct conversion *conversion, struct why *why)
{
	struct folded *folded = (struct folded *)conversion;

	(void)why;
	folded->current_lane = -1;
	return nest_new(FORMAT_NEST_BYTES, &folded->nest);
}

static int folded_call(struct conversion *conversion, const struct call *call, struct why *why)
{
	struct folded *folded = (struct folded *)conversion;
	struct nest_item item = format_item(call);
	int r;

	r = names_number(&folded->names, call->name, &item.name);
	return r ?: nest_add(folded->nest, &item, why);
}

/* Steps from the current stack to the one with a name more. */
static int step_in(struct folded *folded, uint32_t name)
{
	uint64_t key = (uint64_t)folded->current << 32 | name;
	uintptr_t found = (uintptr_t)hash_find(&folded->by_step, key);
	int r;

	if (!found) {
		r = array_grow(&folded->nodes, folded->n_nodes, sizeof(*folded->nodes));
		if (r < 0)
			return r;
		folded->nodes[folded->n_nodes++] =
			(struct node){.parent = folded->current, .name = name};
		found = folded->n_nodes;
		r = hash_put(&folded->by_step, key, (void *)found);
		if (r < 0)
			return r;
	}
	folded->current = found - 1;
	return 0;
}

static int step_in_text(struct folded *folded, const char *text, const char *what, int64_t id)
{
	_cleanup_(text_done) struct text unnamed = {0};
	uint32_t name;
	int r;

	r = text_printf(&unnamed, "%s %" PRId64, what, id);
	r = r ?: names_number(&folded->names, *text ? text : unnamed.data, &name);
	return r ?: step_in(folded, name);
}

static int begin_lane(struct folded *folded, uint32_t number)
{
	const struct lane *lane = folded->conversion.lanes.items[number];
	const struct facts *facts = &folded->conversion.facts;
	int r;

	folded->current_lane = number;
	folded->current = NO_NODE;
	r = step_in_text(folded, facts_process_name(facts, lane->pid), "process", lane->pid);
	return r ?: step_in_text(folded, facts_thread_name(facts, lane), "thread", lane->tid);
}

static int take_step(struct folded *folded, const struct nest_step *step)
{
	struct node *node;
	int r = 0;

	if (step->what == NEST_LEAVE) {
		node = &folded->nodes[folded->current];
		node->self_ns += step->self_ns;
		folded->current = node->parent;
		return 0;
	}
	if (folded->current_lane != step->item.lane)
		r = begin_lane(folded, step->item.lane);
	return r ?: step_in(folded, step->item.name);
}

/* Appends a name without what would end it: ';', or the line. */
static int append_frame(struct text *line, const char *name)
{
	size_t start = line->size;
	int r;

	r = text_append(line, name, strlen(name));
	for (size_t i = start; r == 0 && i < line->size; i++) {
		if (line->data[i] == ';')
			line->data[i] = ':';
		else if ((unsigned char)line->data[i] < ' ')
			line->data[i] = '?';
	}
	return r;
}

static int write_stack(struct folded *folded, const struct node *node, uint32_t **path,
		       size_t *n_path, struct why *why)
{
	struct text *line = &folded->conversion.line;
	uint32_t number = node - folded->nodes;
	size_t n = 0;
	int r = 0;

	for (; number != NO_NODE; number = folded->nodes[number].parent) {
		if (n == *n_path) {
			r = array_grow(path, *n_path, sizeof(**path));
			if (r < 0)
				return r;
			++*n_path;
		}
		(*path)[n++] = folded->nodes[number].name;
	}
	line->size = 0;
	while (r == 0 && n > 0) {
		r = append_frame(line, names_text(&folded->names, (*path)[--n]));
		if (r == 0 && n > 0)
			r = text_append(line, ";", 1);
	}
	r = r ?: text_printf(line, " %" PRIu64 "\n", node->self_ns);
	return r ?: target_write(folded->conversion.target, line, why);
}

static int write_stacks(struct folded *folded, struct why *why)
{
	_cleanup_free_ uint32_t *path = NULL;
	size_t n_path = 0;
	int r;

	r = target_begin(folded->conversion.target, "stacks.folded", why);
	for (size_t i = 0; r == 0 && i < folded->n_nodes; i++)
		if (folded->nodes[i].self_ns)
			r = write_stack(folded, &folded->nodes[i], &path, &n_path, why);
	return r;
}

static int folded_finish(struct conversion *conversion, struct why *why)
{
	struct folded *folded = (struct folded *)conversion;
	struct nest_step step;
	int r;

	while ((r = nest_next(folded->nest, &step, why)) > 0) {
		r = take_step(folded, &step);
		if (r < 0)
			return r;
	}
	return r ?: write_stacks(folded, why);
}

static void folded_done(struct conversion *conversion)
{
	struct folded *folded = (struct folded *)conversion;

	nest_free(folded->nest);
	names_done(&folded->names);
	hash_done(&folded->by_step);
	free(folded->nodes);
}

const struct format format_folded = {
	.name = "folded",
	.size = sizeof(struct folded),
	.begin = folded_begin,
	.call = folded_call,
	.finish = folded_finish,
	.done = folded_done,
};
