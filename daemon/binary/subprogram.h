/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/subprogram.h - what DWARF calls the function at an address; for the rest of binary/ */
#ifndef PERFFLOW_BINARY_SUBPROGRAM_H
#define PERFFLOW_BINARY_SUBPROGRAM_H

#include <elfutils/libdw.h>
#include <stdint.h>

#include "binary/binary.h"

struct subprograms;

/*
 * Opens the debug information of the binary, or of its debug file. Only the units are gone through;
 * the functions of one are when somebody asks for an address in it. -ENODATA with a sentence: there
 * is none; -EFBIG: it is longer than 4 GB. The binary has to live as long.
 */
int subprograms_open(const struct binary *binary, struct subprograms **ret_subprograms,
		     struct why *why);
void subprograms_close(struct subprograms *subprograms);
DEFINE_CLEANUP(struct subprograms, subprograms_close)

/*
 * The concrete DIE of the function that begins there, valid until close. Where the linker folded
 * several functions into one, linker_name (may be NULL) tells which. -ENOENT: nothing is said of
 * it.
 */
int subprograms_find(struct subprograms *subprograms, uint64_t address, const char *linker_name,
		     Dwarf_Die *ret_function);

#endif
