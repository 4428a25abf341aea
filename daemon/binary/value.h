/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/value.h - what the bytes of a type mean to a reader; for the rest of binary/ */
#ifndef PERFFLOW_BINARY_VALUE_H
#define PERFFLOW_BINARY_VALUE_H

#include <elfutils/libdw.h>

#include "binary/argument.h"

#define VALUE_ADDRESS ((struct argument_value){.format = ARGUMENT_POINTER, .size = 8})

/* Of a stripped type. ARGUMENT_NO_FORMAT: it is no scalar of up to 8 bytes. */
struct argument_value value_of_scalar(const Dwarf_Die *type);

/*
 * Of the address of something of a stripped type, which may be a string. The linker name of the
 * function that takes or returns it tells what clang leaves open.
 */
struct argument_value value_of_address(const Dwarf_Die *type, const char *linker_name);

#endif
