/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/selection.h - what several aspects together make of one function or static probe */
#ifndef PERFFLOW_PROBE_SELECTION_H
#define PERFFLOW_PROBE_SELECTION_H

#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "probe/aspect.h"
#include "util/why.h"

#define SELECTION_OF_NONE SIZE_MAX

struct selection {
	size_t aspect;	  /* the first that selects it, or SELECTION_OF_NONE */
	size_t overruled; /* another one, which would record something else, or SELECTION_OF_NONE */
	struct pf_condition condition; /* under which it is recorded */
	uint32_t sets_atoms;	       /* of the cflow() that name it */
	const char *name;	       /* that the first pointcut meant, or NULL */
	const char *annotation;	       /* of the function, or NULL */
};

/*
 * An aspect selects it under that condition, by that name (or NULL). -E2BIG: the conditions together
 * are too complex.
 */
int selection_add(struct selection *selection, const struct aspect *const *aspects, size_t aspect,
		  const struct pf_condition *condition, const char *name, struct why *why);

#endif
