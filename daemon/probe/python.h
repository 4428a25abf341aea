/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/python.h - py(): which Python functions are recorded, and by which static probes they are
 * told of (perfflow/python.h)
 *
 * Patterns that always count together are a group: those of one "||", and those of aspects that have
 * nothing else and stand side by side. Which groups hold for a function decides what is recorded of
 * it, and under which condition: that is its slot. So who runs the program and who listens come to the
 * same slots, from the same aspects.
 *
 * Of programs that run already the interpreter itself may tell, by static probes that some have
 * ("python:function__entry"), of every call: which of them are selected is for the listener to find
 * out, by the file and the function's own name.
 */
#ifndef PERFFLOW_PROBE_PYTHON_H
#define PERFFLOW_PROBE_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include "perfflow/python.h"
#include "probe/aspect.h"
#include "probe/pointcut_atoms.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct node;

struct python_plan { /* all zero is empty; the aspects have to live as long */
	struct python_pattern {
		const struct node *node;
		unsigned int group;
	} *patterns;
	size_t n_patterns;
	unsigned int n_groups;
	/* by the groups that hold, a bit each: the slot, or -1 */
	signed char slots[1U << PF_PYTHON_MAX_GROUPS];
	unsigned int held[PF_PYTHON_MAX_SLOTS]; /* of each slot: groups that hold for one function of it */
	unsigned int n_slots;
	bool by_interpreter; /* it is to tell, and not our library */
};

/* -EINVAL with a sentence: it asks for what Python functions do not have. */
int python_check(const struct aspect *aspect, struct why *why);

/*
 * The atoms are those of all the aspects. -E2BIG with a sentence: too many groups or slots. Where
 * there is no py() it is empty.
 */
int python_plan_make(const struct aspect *const *aspects, size_t n_aspects,
		     const struct pointcut_atoms *atoms, struct python_plan *ret_plan,
		     struct why *why);
void python_plan_done(struct python_plan *plan);

/* -EINVAL with a sentence: the interpreter cannot tell what is asked for. */
int python_plan_by_interpreter(struct python_plan *plan, const struct aspect *const *aspects,
			       size_t n_aspects, struct why *why);
/* Whether a call that the interpreter told of is selected. */
bool python_selects(const struct python_plan *plan, const char *file, const char *function);

/* Whether the group of a pattern is among those. */
bool python_holds(const struct python_plan *plan, const struct node *node, unsigned int held);

struct python_probe {
	bool by_interpreter;
	enum pf_python_probe which; /* the interpreter's: PF_PYTHON_ENTER, PF_PYTHON_LEAVE */
	unsigned int slot;
};

/* Whether it is one of the probes that tell of Python functions. */
bool python_find_probe(const char *provider, const char *name, struct python_probe *ret_probe);

/* Whether what an aspect records is told by that probe, which is in the binary of that file name. */
bool python_probe_serves(const struct python_probe *probe, const char *binary_name,
			 enum aspect_advice advice);

/* Appends what the variable PERFFLOW_PY has to hold. */
int python_plan_print(const struct python_plan *plan, struct text *text);

#endif
