/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Arrays here double when they are full. An array of array_grow() keeps no capacity beside its
 * count: it is full exactly when the count is 0 or a power of two from FIRST_ITEMS on, so a count
 * that shrinks is never a problem.
 */
#include "util/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define FIRST_ITEMS 4
#define FIRST_ROOM  64

void text_done(struct text *text)
{
	free(text->data);
	*text = (struct text){};
}

/* Makes room for size bytes more and a '\0'. */
static int make_room(struct text *text, size_t size)
{
	size_t room = text->room ? text->room : FIRST_ROOM;
	char *data;

	if (size >= SIZE_MAX / 4 - text->size)
		return -ENOMEM;
	while (room < text->size + size + 1)
		room *= 2;
	if (room == text->room)
		return 0;

	data = realloc(text->data, room);
	if (!data)
		return -ENOMEM;
	text->data = data;
	text->room = room;
	return 0;
}

int text_append(struct text *text, const char *data, size_t size)
{
	int r;

	r = make_room(text, size);
	if (r < 0)
		return r;

	if (size)
		memcpy(text->data + text->size, data, size);
	text->size += size;
	text->data[text->size] = '\0';
	return 0;
}

int text_printf(struct text *text, const char *format, ...)
{
	va_list args;
	int n, r;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;

	r = make_room(text, n);
	if (r < 0)
		return r;

	va_start(args, format);
	vsnprintf(text->data + text->size, n + 1, format, args);
	va_end(args);
	text->size += n;
	return 0;
}

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* How many bytes the UTF-8 character has that begins here, 0 if none does: no overlong forms, no
 * surrogates. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf && size >= 2 && is_continuation(s[1]))
		return 2;
	if (s[0] >= 0xe0 && s[0] <= 0xef && size >= 3 && is_continuation(s[1]) &&
	    is_continuation(s[2])) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4 && size >= 4 && is_continuation(s[1]) &&
	    is_continuation(s[2]) && is_continuation(s[3])) {
		if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

static int append_escaped(struct text *text, unsigned char byte)
{
	switch (byte) {
	case '"':
		return text_append(text, "\\\"", 2);
	case '\\':
		return text_append(text, "\\\\", 2);
	case '\n':
		return text_append(text, "\\n", 2);
	case '\r':
		return text_append(text, "\\r", 2);
	case '\t':
		return text_append(text, "\\t", 2);
	default:
		return text_printf(text, "\\u%04x", byte);
	}
}

static bool needs_escape(unsigned char byte)
{
	return byte < ' ' || byte == '"' || byte == '\\' || byte == 0x7f;
}

int text_append_json(struct text *text, const char *data, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;
	size_t i = 0, plain, length;
	int r;

	r = text_append(text, NULL, 0);
	while (r == 0 && i < size) {
		plain = i;
		while (i < size && !needs_escape(bytes[i]) &&
		       (length = utf8_length(bytes + i, size - i)))
			i += length;
		if (i > plain) {
			r = text_append(text, data + plain, i - plain);
			continue;
		}
		if (needs_escape(bytes[i]))
			r = append_escaped(text, bytes[i]);
		else
			r = text_append(text, "\xef\xbf\xbd", 3);
		i++;
	}
	return r;
}

void strings_done(struct strings *strings)
{
	for (size_t i = 0; i < strings->n_items; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){};
}

int strings_add(struct strings *strings, const char *item)
{
	char *copy;
	int r;

	r = array_grow(&strings->items, strings->n_items, sizeof(*strings->items));
	if (r < 0)
		return r;

	copy = strdup(item);
	if (!copy)
		return -ENOMEM;
	strings->items[strings->n_items++] = copy;
	return 0;
}

int strings_vprintf(struct strings *strings, const char *format, va_list arguments)
{
	_cleanup_free_ char *item = NULL;

	if (vasprintf(&item, format, arguments) < 0) {
		item = NULL;
		return -ENOMEM;
	}
	return strings_add(strings, item);
}

int strings_printf(struct strings *strings, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = strings_vprintf(strings, format, arguments);
	va_end(arguments);
	return r;
}

bool strings_contain(const struct strings *strings, const char *item)
{
	for (size_t i = 0; i < strings->n_items; i++) {
		if (strcmp(strings->items[i], item) == 0)
			return true;
	}
	return false;
}

int array_grow(void *array, size_t n_items, size_t item_size)
{
	size_t n = n_items ? 2 * n_items : FIRST_ITEMS;
	void *old, *grown;

	if (n_items && (n_items < FIRST_ITEMS || (n_items & (n_items - 1))))
		return 0;

	memcpy(&old, array, sizeof(old));
	grown = reallocarray(old, n, item_size);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	return 0;
}

const char *text_format_bytes(char buffer[32], unsigned long long bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	unsigned long long unit = 1, tenths;
	size_t i = 0;

	/* 999.5 of one unit would be shown as 1000 of it: that is 1.0 of the next */
	while (bytes >= 1000 * unit - unit / 2 && i + 1 < sizeof(units) / sizeof(units[0])) {
		unit *= 1000;
		i++;
	}
	/* up to 10 of a unit, a tenth of it still matters */
	tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
	if (i > 0 && tenths < 100)
		snprintf(buffer, 32, "%llu.%llu %s", tenths / 10, tenths % 10, units[i]);
	else
		snprintf(buffer, 32, "%llu %s",
			 bytes / unit + (bytes % unit >= unit - unit / 2 ? 1 : 0), units[i]);
	return buffer;
}

const char *text_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One character of a set, which may be escaped; *p goes past it. */
static unsigned char set_character(const char **p)
{
	if (**p == '\\' && (*p)[1])
		(*p)++;
	return *(*p)++;
}

/* Whether c is in the set that begins behind '['; *end goes past its ']', or is NULL if there is
 * none. */
static bool set_contains(const char *p, unsigned char c, const char **end)
{
	bool negated = *p == '!' || *p == '^', found = false;
	const char *first = p += negated;

	/* a ']' that comes first is a member */
	while (*p && (*p != ']' || p == first)) {
		unsigned char low = set_character(&p), high = low;

		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			high = set_character(&p);
		}
		found |= low <= c && c <= high;
	}
	*end = *p ? p + 1 : NULL;
	return found != negated;
}

/* Whether the pattern's next element, which is no '*', takes the character c; *p goes past it. */
static bool takes(const char **p, unsigned char c)
{
	const char *end;
	bool found;

	switch (**p) {
	case '?':
		(*p)++;
		return true;
	case '[':
		found = set_contains(*p + 1, c, &end);
		if (!end)
			break; /* never closed: an ordinary character */
		*p = end;
		return found;
	case '\\':
		if ((*p)[1])
			(*p)++;
		break;
	case '\0':
		return false;
	}
	return (unsigned char)*(*p)++ == c;
}

bool text_glob(const char *pattern, const char *text)
{
	const char *star = NULL,
		   *retry = NULL; /* what follows the last '*', and where it was tried */

	while (*text || *pattern == '*') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (takes(&pattern, *text)) {
			text++;
		} else if (star) {
			/* only the last '*' need take more: the ones before it have found their
			 * place */
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	return *pattern == '\0';
}
