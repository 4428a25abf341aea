/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/functions.h - the functions of one file by address, and nothing else of it, for the names
 * in stacks */
#ifndef PERFFLOW_INSPECT_FUNCTIONS_H
#define PERFFLOW_INSPECT_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "inspect/wire.h"
#include "util/text.h"

struct function;

struct functions { /* all zero is a file of which nothing is known */
	struct binary_segment *segments;
	size_t n_segments;
	struct function *items; /* by address */
	size_t n_items;
	char *names;
	size_t n_name_bytes;
	size_t n_bytes; /* of items and names */
};

/* -E2BIG: more than max_bytes. */
int functions_read(struct binary *binary, size_t max_bytes, struct functions *ret_functions);
void functions_done(struct functions *functions);

/* From one process to another. -EBADMSG: no reader of ours would say that. */
void functions_put(struct wire_writer *writer, const struct functions *functions);
int functions_take(const char *data, size_t size, struct functions *ret_functions);

/*
 * Appends what is at an offset in the file, where a call returns to: "solve+0x1c (libsolve.so.1)",
 * or
 * "[libsolve.so.1+0x1234]" if no function is known there, with the address as the file has it.
 */
int functions_print(const struct functions *functions, const char *module, uint64_t offset,
		    struct text *text);

#endif
