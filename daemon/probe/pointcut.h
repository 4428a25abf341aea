/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/pointcut.h - the expression that selects join points: parse, match, print back
 *
 *     pointcut = pattern { "||" pattern }
 *     pattern  = [ module ":" ] name
 *
 *     libmpi.so*:MPI_* || LAMMPS_NS::Pair*::compute || solve(int, double*)
 *
 * Globs know * ? [a-z] [!a-z] and \. A colon that stands alone ends the module; "::" belongs to a
 * name. The name is matched against the demangled name, with its argument list if the pattern has a
 * "(", and against the linker name; white space in argument lists does not matter. After "operator"
 * the characters of an operator are no glob and no bracket, but for the '*' of "operator*" (all
 * operators; the product is "operator\*").
 */
#ifndef PERFFLOW_PROBE_POINTCUT_H
#define PERFFLOW_PROBE_POINTCUT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct pointcut;

/*
 * -EINVAL: why has the sentence and *ret_column (from 0) where in the text it went wrong;
 * ret_column may be NULL.
 */
int pointcut_parse(const char *text, struct pointcut **ret_pointcut, size_t *ret_column,
		   struct why *why);
void pointcut_free(struct pointcut *pointcut);
DEFINE_CLEANUP(struct pointcut, pointcut_free)

/* Appends an expression that parses to the same pointcut. */
int pointcut_print(const struct pointcut *pointcut, struct text *text);

/* The names of one function, as far as they are known; only linker_name is never NULL. */
struct pointcut_names {
	const char *linker_name;
	const char *plain;	    /* demangled, without arguments */
	const char *with_arguments; /* demangled */
};

/* Whether names with argument lists can make a difference: else they need not be demangled. */
bool pointcut_wants_arguments(const struct pointcut *pointcut);

/*
 * Whether the function of that name in that module is selected. A module is given by its path (for
 * globs with a '/'; else its last part counts) and its soname or NULL, see binary_is_named(). The
 * name that matched (one of those passed in) goes to *ret_matched, which may be NULL.
 */
bool pointcut_matches(const struct pointcut *pointcut, const char *module_path, const char *soname,
		      const struct pointcut_names *names, const char **ret_matched);

/*
 * Whether any function of that module may be selected: so that others need not be read. soname may
 * be NULL.
 */
bool pointcut_wants_module(const struct pointcut *pointcut, const char *module_path,
			   const char *soname);

/* Whether there is a pattern without a module, which looks into every one. */
bool pointcut_wants_all_modules(const struct pointcut *pointcut);

/* Adds the globs for modules that are named, each once. */
int pointcut_modules(const struct pointcut *pointcut, struct strings *globs);

/* Adds the globs for names that stand in the pointcut, for a search of what is near to them. */
int pointcut_name_globs(const struct pointcut *pointcut, struct strings *globs);

#endif
