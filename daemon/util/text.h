/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/text.h - text that grows, and lists of strings */
#ifndef PERFFLOW_UTIL_TEXT_H
#define PERFFLOW_UTIL_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text { /* all zero is empty */
	char *data; /* always ends in '\0' once something was appended */
	size_t size; /* without that '\0' */
	size_t room;
};

void text_done(struct text *text);
int text_append(struct text *text, const char *data, size_t size);
int text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Appends what stands between the quotes of a JSON string: '"', '\\' and control characters escaped, bytes that are
 * not UTF-8 replaced by U+FFFD.
 */
int text_append_json(struct text *text, const char *data, size_t size);

struct strings { /* all zero is empty */
	char **items; /* each owned by the list */
	size_t n_items;
};

void strings_done(struct strings *strings);
int strings_add(struct strings *strings, const char *item); /* a copy */
int strings_printf(struct strings *strings, const char *format, ...) __attribute__((format(printf, 2, 3)));
int strings_vprintf(struct strings *strings, const char *format, va_list arguments);
bool strings_contain(const struct strings *strings, const char *item);

/*
 * Makes room for n_items + 1 in an array that doubles: `array` is a pointer to the array's pointer. -ENOMEM leaves
 * it as it was.
 */
int array_grow(void *array, size_t n_items, size_t item_size);

/* "1.5 MB", "12 k": for people. Returns buffer. */
const char *text_format_bytes(char buffer[32], unsigned long long bytes);

/* The last part of a path ("/usr/lib/libm.so.6" -> "libm.so.6"), inside of it. */
const char *text_file_name(const char *path);

/* Whole-string glob match with * ? [a-z] [!a-z] and \ as escape; * crosses every character. */
bool text_glob(const char *pattern, const char *text);

#endif
