/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "util/json.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct json_text {
	const char *data;
	size_t size;
};

static bool is_digit(const struct json_text *text, size_t i)
{
	return i < text->size && isdigit((unsigned char)text->data[i]);
}

static bool is_letter(const struct json_text *text, size_t i)
{
	return i < text->size && isalpha((unsigned char)text->data[i]);
}

/* Whether the 0 at i begins a number that goes on with digits; an exponent may. */
static bool has_leading_zero(const struct json_text *text, size_t i)
{
	char before = i > 0 ? text->data[i - 1] : ' ';

	if (before == '-' && i > 1)
		before = text->data[i - 2];
	return !isdigit((unsigned char)before) && !strchr(".eE+", before) && is_digit(text, i + 1);
}

static bool is_last_comma(const struct json_text *text, size_t i)
{
	do {
		i++;
	} while (i < text->size && text->data[i] && strchr(" \t\r\n", text->data[i]));
	return i < text->size && (text->data[i] == ']' || text->data[i] == '}');
}

/* The first of several letters outside of strings. */
static const char *find_bad_word(const struct json_text *text, size_t i)
{
	static const char *const words[] = {"true", "false", "null"};
	const char *word = text->data + i;
	size_t length = 1;

	if (i > 0 && is_digit(text, i - 1) && (*word == 'e' || *word == 'E'))
		return is_digit(text, i + 1) || (i + 1 < text->size && strchr("+-", word[1]))
			       ? NULL
			       : "a number that ends in its exponent";
	while (is_letter(text, i + length))
		length++;
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
		if (strlen(words[k]) == length && memcmp(words[k], word, length) == 0)
			return NULL;
	}
	if ((length == 3 && strncasecmp(word, "nan", 3) == 0) ||
	    (length == 8 && strncasecmp(word, "infinity", 8) == 0))
		return "a number that is not finite";
	return "a word that is not true, false or null";
}

/* Outside of strings. */
static const char *find_fault(const struct json_text *text, size_t i)
{
	switch (text->data[i]) {
	case '\'':
		return "a single quote";
	case '/':
		return "a comment";
	case ',':
		return is_last_comma(text, i) ? "a comma with nothing behind it" : NULL;
	case '0':
		return has_leading_zero(text, i) ? "a number that begins with 0" : NULL;
	case '.':
		return is_digit(text, i + 1) ? NULL : "a number that ends in its point";
	case '-':
	case '+':
		return is_digit(text, i + 1) || is_letter(text, i + 1)
			       ? NULL
			       : "a sign with no digit behind it";
	default:
		return is_letter(text, i) && (i == 0 || !is_letter(text, i - 1))
			       ? find_bad_word(text, i)
			       : NULL;
	}
}

const char *json_find_nonsense(const char *data, size_t size)
{
	const struct json_text text = {.data = data, .size = size};
	const char *fault = NULL;
	bool is_string = false;

	for (size_t i = 0; i < size && !fault; i++) {
		unsigned char c = data[i];

		if (is_string && c < ' ')
			fault = "a control character in a string";
		else if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string)
			fault = find_fault(&text, i);
	}
	return fault;
}
