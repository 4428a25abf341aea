/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A member needs a comma before it unless a bracket was opened just before. */
#include "sink/args.h"

#include <string.h>

#include "sink/put.h"

#define MAX_EXACT (1ULL << 53)

static int separate(struct text *text)
{
	char last = text->size ? text->data[text->size - 1] : '{';

	return last == '{' || last == '[' ? 0 : text_append(text, ",", 1);
}

int args_quoted(struct text *text, const char *string, size_t size)
{
	int r = text_append(text, "\"", 1);

	r = r ?: text_append_json(text, string, size);
	return r ?: text_append(text, "\"", 1);
}

int args_key(struct text *text, const char *key)
{
	int r = separate(text);

	r = r ?: args_quoted(text, key, strlen(key));
	return r ?: text_append(text, ":", 1);
}

int args_string(struct text *text, const char *key, const char *value)
{
	int r = args_key(text, key);

	return r ?: args_quoted(text, value ?: "", value ? strlen(value) : 0);
}

int args_optional(struct text *text, const char *key, const char *value)
{
	return value ? args_string(text, key, value) : 0;
}

bool args_is_exact(uint64_t magnitude)
{
	return magnitude <= MAX_EXACT;
}

static int append_number(struct text *text, const char *key, const char *digits, size_t size,
			 bool is_exact)
{
	int r = args_key(text, key);

	if (r == 0 && !is_exact)
		return args_quoted(text, digits, size);
	return r ?: text_append(text, digits, size);
}

int args_unsigned(struct text *text, const char *key, uint64_t value)
{
	char digits[PUT_NUMBER_BYTES];

	return append_number(text, key, digits, put_number(digits, value) - digits,
			     args_is_exact(value));
}

int args_signed(struct text *text, const char *key, int64_t value)
{
	char digits[PUT_NUMBER_BYTES];

	return append_number(text, key, digits, put_signed(digits, value) - digits,
			     args_is_exact(value < 0 ? 0 - (uint64_t)value : (uint64_t)value));
}

int args_bool(struct text *text, const char *key, bool value)
{
	int r = args_key(text, key);

	return r ?: text_printf(text, value ? "true" : "false");
}

int args_null(struct text *text, const char *key)
{
	int r = args_key(text, key);

	return r ?: text_append(text, "null", 4);
}

int args_strings(struct text *text, const char *key, const char *const *values, size_t n)
{
	int r = args_key(text, key);

	r = r ?: text_append(text, "[", 1);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = separate(text);
		r = r ?: args_quoted(text, values[i], strlen(values[i]));
	}
	return r ?: text_append(text, "]", 1);
}
