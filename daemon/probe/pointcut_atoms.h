/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/pointcut_atoms.h - what of a session's pointcuts only shows at run time, each thing a bit
 *
 * An atom is a cflow(), or an expression about the process alone as far as it goes: exe(a), or
 * (exe(a) || rank(0)). A "!" in front is not part of it. What the pointcuts say the same way is the
 * same atom.
 */
#ifndef PERFFLOW_PROBE_POINTCUT_ATOMS_H
#define PERFFLOW_PROBE_POINTCUT_ATOMS_H

#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "probe/condition.h"
#include "probe/pointcut.h"
#include "util/text.h"
#include "util/why.h"

struct node;

struct pointcut_atoms { /* all zero is empty; the pointcuts in it have to live as long */
	const struct node *items[PF_MAX_ATOMS];
	size_t n_items;
};

/* -E2BIG with a sentence: more than PF_MAX_ATOMS. */
int pointcut_atoms_add(struct pointcut_atoms *atoms, const struct pointcut *pointcut,
		       struct why *why);

/* What stands in atom i if it is a cflow(), else NULL. */
const struct pointcut *pointcut_atoms_cflow(const struct pointcut_atoms *atoms, size_t i);

/* What is known of a process; a text that is NULL is one that it has not. */
struct pointcut_process {
	const char *exe; /* path of its program */
	const char *comm;
	const char *cgroup; /* path */
	const char *job;    /* its id */
	uint32_t uid; /* UINT32_MAX: not known */
	int64_t rank; /* -1: none */
};

/* The atoms of processes, and those of them that hold for one. */
uint32_t pointcut_atoms_process_mask(const struct pointcut_atoms *atoms);
uint32_t pointcut_atoms_of_process(const struct pointcut_atoms *atoms,
				   const struct pointcut_process *process);

/*
 * Under which condition a pointcut selects a subject. Returns 1 (at some time), 0 (never) or a
 * negative errno, -E2BIG with a sentence where the condition has more than PF_MAX_ALTERNATIVES. The
 * atoms have those of the pointcut among them; those in `held` always hold where the subject is
 * met. Which of its names a pattern meant goes to *ret_matched as pointcut_matches() has it.
 */
int pointcut_condition(const struct pointcut *pointcut, const struct pointcut_atoms *atoms,
		       const struct pointcut_subject *subject, uint32_t held,
		       struct pf_condition *ret_condition, const char **ret_matched,
		       struct why *why);

/* The same for where any of several pointcuts selects it: makes *condition weaker by another. */
int pointcut_condition_or(struct pf_condition *condition, const struct pf_condition *other,
			  struct why *why);

/* Appends it as an expression; nothing where it always holds. */
int pointcut_condition_print(const struct pf_condition *condition,
			     const struct pointcut_atoms *atoms, struct text *text);

#endif
