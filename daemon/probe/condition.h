/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/condition.h - what is left of an expression for run time: alternatives, each of atoms that
 * have to hold and of atoms that must not
 */
#ifndef PERFFLOW_PROBE_CONDITION_H
#define PERFFLOW_PROBE_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"

#define CONDITION_MAX 32 /* alternatives on the way */

struct condition { /* all zero holds never */
	size_t n_items;
	struct pf_alternative items[CONDITION_MAX];
};

/* One alternative: (atoms & mask) == wanted. Both 0: it holds always. */
struct condition condition_of(uint32_t mask, uint32_t wanted);
bool condition_is_always(const struct condition *condition);
bool condition_is_never(const struct condition *condition);

/* They keep what is in it simple: no contradiction, nothing twice or implied by another. -E2BIG:
 * too many alternatives. */
int condition_or(struct condition *condition, const struct condition *other);
int condition_and(struct condition *condition, const struct condition *other);

/* As the kernel side takes it: returns 1, 0 if it holds never, or -E2BIG for more than
 * PF_MAX_ALTERNATIVES. */
int condition_pack(const struct condition *condition, uint32_t process_atoms,
		   struct pf_condition *ret_packed);
struct condition condition_unpack(const struct pf_condition *packed);

static inline bool condition_holds(const struct pf_condition *packed, uint32_t atoms)
{
	bool holds = !packed->n_alternatives;

	for (uint32_t i = 0; i < packed->n_alternatives && !holds; i++)
		holds = (atoms & packed->alternatives[i].mask) == packed->alternatives[i].wanted;
	return holds;
}

#endif
