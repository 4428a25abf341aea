/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A static probe is in the source file of the function around it. */
#include "probe/joinpoint_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/usdt.h"

/* A place has no return: entered and left are one there. Returns why it cannot be recorded so, or NULL. */
static const char *refuse_static_probe(const struct aspect *aspect, const struct pointcut_subject *subject)
{
	if (subject->python)
		return NULL;
	if (aspect->advice == ASPECT_AROUND_ASYNC)
		return "a static probe is a place, which 'around_async' has no end for";
	return aspect->id == ASPECT_ID_RETURN ? "a static probe is a place, and returns nothing for 'id=ret'" : NULL;
}

/* Takes the name. */
static int add_static_probe(struct search *search, const struct usdt_probe *probe, const struct selection *selection,
			    bool is_python, char *name)
{
	struct joinpoint joinpoint = {
		.kind = JOINPOINT_STATIC_PROBE,
		.name = name,
		.address = probe->address,
		.aspect = selection->aspect,
		.overruled = selection->overruled,
		.condition = selection->condition,
		.site = {.entry_offset = probe->file_offset,
			 .instruction = "nop",
			 .is_emulated = true,
			 .returns = SITE_ENTRY_ONLY,
			 .reason = "a static probe is a place, not a function"},
		.is_python = is_python,
		.arguments = strdup(probe->arguments),
		.semaphore_offset = probe->semaphore_offset,
	};

	if (!joinpoint.arguments) {
		joinpoint_done(&joinpoint);
		return -ENOMEM;
	}
	return search_add(search, &joinpoint);
}

static int weave_static_probe(struct search *search, const struct usdt_probe *probe,
			      const struct pointcut_subject *subject, const struct selection *selection)
{
	const char *refusal = refuse_static_probe(search->query->aspects[selection->aspect], subject);
	struct why reason = { 0 };
	char *name;
	int r;

	if (asprintf(&name, "%s:%s", probe->provider, probe->name) < 0)
		return -ENOMEM;
	if (!refusal)
		return add_static_probe(search, probe, selection, subject->python, name);
	why_say(&reason, -ENOENT, "%s", refusal);
	r = search_reject(search, probe->address, name, &reason);
	free(name);
	return r;
}

/* One by which Python functions are told of stands for those of its slot. */
static void find_python(const struct search *search, struct pointcut_subject *subject, struct python_probe *ret_probe)
{
	const struct python_plan *plan = search->query->python;

	if (!plan || !python_find_probe(subject->provider, subject->probe, ret_probe) ||
	    ret_probe->by_interpreter != plan->by_interpreter || ret_probe->slot >= plan->n_slots)
		return;
	subject->python = plan;
	subject->python_held = plan->held[ret_probe->slot];
}

static int ask_about_static_probe(struct search *search, const struct usdt_probe *probe)
{
	struct pointcut_subject subject = {
		.module_path = binary_module_path(search->binary),
		.soname = search->binary->soname,
		.program = search_program(search->binary),
		.provider = probe->provider,
		.probe = probe->name,
		.is_annotated = strcmp(probe->provider, "perfflow") == 0,
		.find_source = search_find_source,
		.opaque = search,
	};
	struct selection selection = { .aspect = JOINPOINT_OF_NONE, .overruled = JOINPOINT_OF_NONE };
	const struct joinpoints *joinpoints = search->joinpoints;
	struct python_probe python = { 0 };
	const struct symbol *around;
	int r;

	find_python(search, &subject, &python);
	around = symbols_before(search->symbols, probe->address);
	search->source_address = around ? around->address : 0;
	r = search_ask_aspects(search, &subject, &selection);
	if (r <= 0)
		return r;
	if (subject.python && !python_probe_serves(&python, search->binary->name, search->query->aspects[selection.aspect]->advice))
		return 0;
	/* two marks on one instruction are hit together: they are one */
	if (joinpoints->n_items && joinpoints->items[joinpoints->n_items - 1].kind == JOINPOINT_STATIC_PROBE &&
	    joinpoints->items[joinpoints->n_items - 1].address == probe->address)
		return 0;
	return weave_static_probe(search, probe, &subject, &selection);
}

static int by_address(const void *a, const void *b)
{
	const struct joinpoint *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return (int)left->kind - (int)right->kind;
}

int search_static_probes(struct search *search)
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
