/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/joinpoint.h - match aspects against a binary: the functions and static probes to weave, one per address
 *
 * The first aspect that selects a join point says what is recorded there. Others that would record the same make it recorded
 * under their conditions too.
 */
#ifndef PERFFLOW_PROBE_JOINPOINT_H
#define PERFFLOW_PROBE_JOINPOINT_H

#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"
#include "perfflow/event.h"
#include "probe/aspect.h"
#include "probe/pointcut_atoms.h"
#include "probe/python.h"
#include "probe/selection.h"
#include "probe/site.h"
#include "probe/woven.h"

enum joinpoint_kind {
	JOINPOINT_FUNCTION,
	JOINPOINT_STATIC_PROBE, /* entered only */
};

#define JOINPOINT_OF_NONE SELECTION_OF_NONE

struct joinpoint {
	enum joinpoint_kind kind;
	char *name;	  /* the name that the pattern matched; of a static probe provider:name */
	uint64_t address; /* in the binary's own address space */
	uint64_t size;	  /* of its code, 0 if not known */
	size_t aspect;	  /* the first that selects it; JOINPOINT_OF_NONE: it is woven for a cflow() alone */
	size_t overruled; /* another one, which would record something else there and does not; or JOINPOINT_OF_NONE */
	struct pf_condition condition; /* under which it is recorded */
	uint32_t sets_atoms;	       /* the cflow() atoms that hold while it is open */
	struct site site;
	char *annotation;	   /* of a function: "@critical_path(...)", well-formed (see binary/annotation.h), or NULL; only if some pointcut asks for annotations */
	enum woven woven;	   /* of a function: it tells of calls of others (entered only) */
	bool is_python;		   /* a static probe by which calls of Python functions are told of */
	char *arguments;	   /* of a static probe: where they are ("-4@%eax 8@-16(%rbp)"), or NULL */
	uint64_t semaphore_offset; /* of a static probe: of the counter in the file that is raised while it is woven; or 0 */
};

struct rejected { /* a function that is selected and cannot be probed, or not as it has to be, or is no join point */
	char *name;
	uint64_t address;
	char *reason; /* a sentence */
};

struct joinpoints {		 /* all zero is empty */
	struct joinpoint *items; /* by address */
	size_t n_items;
	struct rejected *rejected;
	size_t n_rejected;
};

void joinpoints_done(struct joinpoints *joinpoints);

struct joinpoint_query {
	const struct aspect *const *aspects;
	size_t n_aspects;
	const struct pointcut_atoms *atoms; /* with those of all their pointcuts */
	const struct python_plan *python;   /* of all their py(), or NULL */
	enum site_mode returns;		    /* of functions that are woven for a cflow() alone */
	bool tells_left_out;		    /* reject what is no join point, instead of passing it over */
	size_t *matched;		    /* of each aspect: is increased by what it alone would give */
	size_t *followed;		    /* of each atom, if it is a cflow(): by the functions that set it */
};

/* Finds what the aspects select in the binary, and what their cflow() name. symbols are those of the binary. Sites are chosen too. */
int joinpoints_find(struct binary *binary, const struct symbols *symbols, const struct joinpoint_query *query,
		    struct joinpoints *ret_joinpoints, struct why *why);

#endif
