/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/pointcut.h - the expression that selects join points: parse, match, print back
 *
 *     pointcut = term { "||" term }
 *     term     = factor { "&&" factor }
 *     factor   = [ "!" ] ( "(" pointcut ")" | designator | pattern )
 *     pattern  = [ module ":" ] ( name | "/" regex "/" [ "i" ] )
 *     designator = "execution(" pattern ")" | "within(" [ "module:" | "file:" | "class:" ] what ")"
 *                | "size(" N ".." M ")" | "usdt(" provider ":" name ")" | "annotated()"
 *                | "py(" module ":" name ")"
 *                | "cflow(" pointcut ")"
 *                | "exe(" glob ")" | "comm(" glob ")" | "uid(" user ")" | "cgroup(" glob ")"
 *                | "job(" glob ")" | "rank(" N ".." M ")"
 *
 *     libmpi.so*:MPI_* || LAMMPS_NS::Pair*::compute && !within(file:*_omp.cpp) || solve(int,
 * double*)
 *
 * Globs know * ? [a-z] [!a-z] and \. A colon that stands alone ends the module; "::" belongs to a
 * name. The name is matched against the demangled name, with its argument list if the pattern has a
 * "(", and against the linker name; white space in argument lists does not matter. After "operator"
 * the characters of an operator are no glob and no bracket, but for the '*' of "operator*" (all
 * operators; the product is "operator\*"). docs/pointcuts.md has all of it.
 *
 * What cflow() and the terms of the process say shows at run time alone: see
 * probe/pointcut_atoms.h.
 */
#ifndef PERFFLOW_PROBE_POINTCUT_H
#define PERFFLOW_PROBE_POINTCUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/pattern.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct pointcut;
struct python_plan;

/*
 * -EINVAL: why has the sentence and *ret_column (from 0) where in the text it went wrong;
 * ret_column may be NULL.
 */
int pointcut_parse(const char *text, struct pointcut **ret_pointcut, size_t *ret_column,
		   struct why *why);
/* Reads as far as a pointcut goes, from parser->at. */
int pointcut_parse_part(struct parser *parser, struct pointcut **ret_pointcut);
/* -EINVAL with a sentence where the text is longer than an expression may be. */
int pointcut_check_length(struct parser *parser);
void pointcut_free(struct pointcut *pointcut);
DEFINE_CLEANUP(struct pointcut, pointcut_free)

/* Appends an expression that parses to the same pointcut. */
int pointcut_print(const struct pointcut *pointcut, struct text *text);

/* What is known of a function, or of a static probe. */
struct pointcut_subject {
	/* a module is given by its path (for globs with a '/'; else its last part counts) and its
	 * soname or NULL */
	const char *module_path, *soname;
	const char *program; /* path of the program of the process; NULL: exe() may hold */
	const struct pointcut_names *names; /* all names of the function; a static probe has none */
	size_t n_names;
	uint64_t size;		      /* of its code; 0: not known, size() does not hold */
	bool is_annotated;	      /* in its source: annotated() */
	const char *provider, *probe; /* of a static probe; NULL of a function */
	/* of a static probe by which Python functions are told of: which groups of py() hold for
	 * them (see probe/python.h); else NULL */
	const struct python_plan *python;
	unsigned int python_held;
	/* Called only where it comes to depend on the source file; -ENOENT if that is not known.
	 * NULL: it is not known. */
	int (*find_source)(void *opaque, const char **ret_path);
	void *opaque;
};

/*
 * Returns 1 if the pointcut selects it, or may at run time, 0 if not, or a negative errno. Which of
 * its names a pattern meant goes to *ret_matched, which may be NULL; it is left alone where no
 * pattern did.
 */
int pointcut_matches(const struct pointcut *pointcut, const struct pointcut_subject *subject,
		     const char **ret_matched, struct why *why);

/* Whether it says something of the process and of nothing else: exe(), rank() and such. */
bool pointcut_is_about_process(const struct pointcut *pointcut);

/* What follows counts what stands in a cflow() too: that has to be woven as well. */

/* Whether names with argument lists can make a difference: else they need not be demangled. */
bool pointcut_wants_arguments(const struct pointcut *pointcut);

/* Whether annotations can: else they need not be looked for. */
bool pointcut_wants_annotations(const struct pointcut *pointcut);

/* Whether it may select functions, and static probes: else there is no need to look for them. */
bool pointcut_wants_functions(const struct pointcut *pointcut);
bool pointcut_wants_static_probes(const struct pointcut *pointcut);

/* Whether it has a py(). */
bool pointcut_wants_python(const struct pointcut *pointcut);

/*
 * Whether any function of that module may be selected: so that others need not be read. soname may
 * be NULL.
 */
bool pointcut_wants_module(const struct pointcut *pointcut, const char *module_path,
			   const char *soname);

/* Whether it may select something in a module that it does not name. */
bool pointcut_wants_all_modules(const struct pointcut *pointcut);

/* Adds the globs for modules that are named, each once. */
int pointcut_modules(const struct pointcut *pointcut, struct strings *globs);

/* Adds the globs for names that stand in the pointcut, not in a cflow() of it, for a search of what
 * is near to them. */
int pointcut_name_globs(const struct pointcut *pointcut, struct strings *globs);
/* The same of static probes, as "provider:name". */
int pointcut_static_probe_globs(const struct pointcut *pointcut, struct strings *globs);

#endif
