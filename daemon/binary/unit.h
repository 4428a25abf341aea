/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/unit.h - the unit that a function was compiled in, and what a compiler pass would call it:
 * PerfFlowAspect's names come from one
 */
#ifndef PERFFLOW_BINARY_UNIT_H
#define PERFFLOW_BINARY_UNIT_H

#include "binary/binary.h"
#include "binary/symbol.h"

struct units;

/* Reads the debug information when it is asked for the first time; both have to live as long. */
int units_open(const struct binary *binary, const struct symbols *symbols,
	       struct units **ret_units);
void units_close(struct units *units);
DEFINE_CLEANUP(struct units, units_close)

/*
 * Of the function that begins at an address: the source of its unit, as the compiler was given it,
 * or NULL if that is not known; and its name, the arguments left out, but with the return type
 * where it is a template. Both are owned by the caller. -ENOENT: no function begins there.
 */
int units_describe(struct units *units, uint64_t address, char **ret_source, char **ret_function);

/* The name alone, of a function that is known by its linker's. */
int units_name_function(const char *linker_name, char **ret_function);

#endif
