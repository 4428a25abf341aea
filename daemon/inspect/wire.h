/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * inspect/wire.h - numbers and strings as bytes, between two processes of one program
 *
 * What is written is right; what is read may be anything. Both note that something failed and go on, so that it is asked for
 * once, at the end.
 */
#ifndef PERFFLOW_INSPECT_WIRE_H
#define PERFFLOW_INSPECT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/text.h"

struct wire_writer { /* all zero is empty */
	struct text text;
	int error; /* the first that there was */
};

void wire_writer_done(struct wire_writer *writer);
void wire_put_u32(struct wire_writer *writer, uint32_t value);
void wire_put_u64(struct wire_writer *writer, uint64_t value);
void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size);
void wire_put_string(struct wire_writer *writer, const char *string); /* may be NULL */
void wire_put_strings(struct wire_writer *writer, const struct strings *strings);

struct wire_reader {
	const char *at;
	size_t left;
	bool is_bad; /* it was cut off, or a value was out of range: all that is read from then on is 0 or NULL */
};

/* Marks it as bad unless ok, and returns whether it is good. */
bool wire_check(struct wire_reader *reader, bool ok);

uint32_t wire_u32(struct wire_reader *reader);
uint64_t wire_u64(struct wire_reader *reader);
uint32_t wire_u32_below(struct wire_reader *reader, uint32_t limit);
uint64_t wire_u64_below(struct wire_reader *reader, uint64_t limit);
bool wire_bool(struct wire_reader *reader);
void wire_bytes(struct wire_reader *reader, void *ret_bytes, size_t size);
const char *wire_optional(struct wire_reader *reader); /* in what is read; or NULL */
const char *wire_string(struct wire_reader *reader);   /* "" if it is bad */
/* -ENOMEM; as above where it is bad. */
int wire_strings(struct wire_reader *reader, struct strings *strings);

#endif
