/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/args.h - an event's args, member by member, at the end of a text
 *
 * Each adds the comma that its member needs, and returns -ENOMEM at worst.
 */
#ifndef PERFFLOW_SINK_ARGS_H
#define PERFFLOW_SINK_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/text.h"

/* No member: the text in quotes. */
int args_quoted(struct text *text, const char *string, size_t size);

int args_key(struct text *text, const char *key); /* the value is for the caller to append */
int args_string(struct text *text, const char *key, const char *value);	  /* NULL is "" */
int args_optional(struct text *text, const char *key, const char *value); /* NULL is left out */
int args_unsigned(struct text *text, const char *key, uint64_t value);
int args_signed(struct text *text, const char *key, int64_t value);
int args_bool(struct text *text, const char *key, bool value);
int args_null(struct text *text, const char *key);
int args_strings(struct text *text, const char *key, const char *const *values, size_t n);

/* Numbers past 2^53 lose their end in a browser: those are text. */
bool args_is_exact(uint64_t magnitude);

#endif
