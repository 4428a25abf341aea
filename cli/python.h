/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* python.h - what Python programs need to tell of themselves: docs/python.md */
#ifndef PERFFLOW_CLI_PYTHON_H
#define PERFFLOW_CLI_PYTHON_H

#include "util/text.h"
#include "util/why.h"

/* The library that they load, or NULL where it is not installed. The caller frees it. */
char *python_library(void);

struct python_environment { /* of a command that is to be traced; all zero changes nothing */
	char *patterns;	    /* PERFFLOW_PY, or NULL */
	char *path;	    /* PYTHONPATH, or NULL */
};

/*
 * What the aspects need (none at all stand for annotated()). What is wrong with an aspect is left for
 * the daemon to tell; -EINVAL and -ENOENT with a sentence for the rest.
 */
int python_environment_make(const struct strings *aspects, struct python_environment *ret_environment,
			    struct why *why);
void python_environment_done(struct python_environment *environment);

/* Sets the variables of this process. */
int python_environment_apply(const struct python_environment *environment);

#endif
