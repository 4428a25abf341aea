/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/joinpoint.h - match aspects against a binary: the functions and static probes to weave, one per address */
#ifndef PERFFLOW_PROBE_JOINPOINT_H
#define PERFFLOW_PROBE_JOINPOINT_H

#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"
#include "probe/aspect.h"
#include "probe/site.h"

enum joinpoint_kind {
	JOINPOINT_FUNCTION,
	JOINPOINT_STATIC_PROBE, /* entered only */
};

struct joinpoint {
	enum joinpoint_kind kind;
	char *name;	  /* the name that the pattern matched; of a static probe provider:name */
	uint64_t address; /* in the binary's own address space */
	uint64_t size;	  /* of its code, 0 if not known */
	size_t aspect;	  /* the first that selects it */
	struct site site;
	char *annotation;	   /* of a function: "@critical_path(...)" as it stands in the source, or NULL */
	char *arguments;	   /* of a static probe: where they are ("-4@%eax 8@-16(%rbp)"), or NULL */
	uint64_t semaphore_offset; /* of a static probe: of the counter in the file that is raised while it is woven; or 0 */
};

struct rejected { /* a function that is selected and cannot be probed */
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

/*
 * Finds what the aspects (n of them) select in the binary; matched[i] is increased by what aspect i
 * alone would give. A function that several select is named by the first. symbols are those of the
 * binary. Sites are chosen too.
 */
int joinpoints_find(struct binary *binary, const struct symbols *symbols,
		    const struct aspect *const *aspects, size_t n, struct joinpoints *ret_joinpoints,
		    size_t *matched, struct why *why);

/*
 * Collects the functions whose names come nearest to what a pointcut asked for, over several
 * binaries.
 */
struct candidates;
int candidates_new(const struct pointcut *pointcut, struct candidates **ret_candidates);
void candidates_free(struct candidates *candidates);
DEFINE_CLEANUP(struct candidates, candidates_free)
int candidates_consider(struct candidates *candidates, const struct binary *binary,
			const struct symbols *symbols);
/* The best (at most 5), as "module:name", nearest first; none that is not near. */
int candidates_list(struct candidates *candidates, struct strings *list);

#endif
