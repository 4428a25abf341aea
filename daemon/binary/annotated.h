/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/annotated.h - which functions are annotated in their source, and how: see
 * include/perfflow/annotation.h */
#ifndef PERFFLOW_BINARY_ANNOTATED_H
#define PERFFLOW_BINARY_ANNOTATED_H

#include "binary/symbol.h"

struct annotated_function {
	uint64_t address;
	const char *annotation; /* "@critical_path(...)" */
	const char *fault;	/* why it is to be ignored, a sentence; or NULL */
};

struct annotated {			  /* all zero is empty */
	struct annotated_function *items; /* by address */
	size_t n_items;
	const char *fault;    /* why there may be more of them, a sentence; or NULL */
	struct strings texts; /* what all of them point into */
};

/*
 * Of the binary's functions, which are symbols. What g++ has compiled takes the debug information,
 * which costs about a second for 100 MB, so this is done when somebody asks; of other binaries,
 * looking through their read-only data.
 */
int annotated_read(const struct binary *binary, const struct symbols *symbols,
		   struct annotated *ret_annotated);
void annotated_done(struct annotated *annotated);

/* NULL: the function there is not annotated. */
const struct annotated_function *annotated_find(const struct annotated *annotated,
						uint64_t address);

#endif
