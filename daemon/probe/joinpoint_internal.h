/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/joinpoint_internal.h - what the search for functions and that for static probes share */
#ifndef PERFFLOW_PROBE_JOINPOINT_INTERNAL_H
#define PERFFLOW_PROBE_JOINPOINT_INTERNAL_H

#include "binary/annotated.h"
#include "binary/source.h"
#include "probe/joinpoint.h"

/* The names of a symbol, as far as they are needed. */
struct names {
	char *plain, *with_arguments;
};

/* One binary is searched once for all aspects. */
struct search {
	struct binary *binary;
	const struct symbols *symbols;
	const struct joinpoint_query *query;
	bool *wants; /* of each aspect: whether it has to do with this binary */
	uint32_t wanted_atoms; /* the cflow()s that do */
	bool with_arguments; /* some pointcut asks for them */
	bool functions, static_probes; /* which of them any pointcut may select */
	bool annotations; /* some pointcut asks for them */
	struct annotated annotated;
	struct source *source;
	int source_state;   /* of source: -EAGAIN until it was opened, 0, or why it could not be */
	uint64_t source_address; /* of the function whose source file is asked for */
	struct site_chooser *chooser; /* opened for the first function that is selected */
	struct joinpoints *joinpoints;
	size_t *matched, *followed; /* as in the query, for this binary */
	bool *selected;	     /* of each aspect: whether it selects the current subject */
	struct names *names; /* of the current group */
	struct pointcut_names *all; /* the same with the linker's names */
	size_t names_room;
	struct why *why;
};

/* Frees what the join point owns. */
void joinpoint_done(struct joinpoint *joinpoint);

/* Of pointcut_subject: the source file of the function at search->source_address. */
int search_find_source(void *search, const char **ret_path);

/* A program's functions run in no other program, whose path this is; those of a library may run in any: NULL. */
const char *search_program(const struct binary *binary);

/* Notes in the selection which cflow()s name it. */
int search_ask_atoms(struct search *search, const struct pointcut_subject *subject, struct selection *selection);

/* Which aspects select it goes to search->selected too. Returns 1 if it is to be woven, else 0. */
int search_ask_aspects(struct search *search, const struct pointcut_subject *subject, struct selection *selection);

/* Takes what the join point owns, whatever happens. */
int search_add(struct search *search, struct joinpoint *joinpoint);

int search_reject(struct search *search, uint64_t address, const char *name, const struct why *reason);

/* joinpoint_function.c */
int search_functions(struct search *search);

/* joinpoint_probe.c: static probes */
int search_static_probes(struct search *search);

#endif
