/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A string has its length with the '\0' before it, 0 stands for NULL. */
#include "inspect/wire.h"

#include <string.h>

void wire_writer_done(struct wire_writer *writer)
{
	text_done(&writer->text);
	*writer = (struct wire_writer){ 0 };
}

void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size)
{
	int r = size ? text_append(&writer->text, bytes, size) : 0;

	if (r < 0 && !writer->error)
		writer->error = r;
}

void wire_put_u32(struct wire_writer *writer, uint32_t value)
{
	wire_put_bytes(writer, &value, sizeof(value));
}

void wire_put_u64(struct wire_writer *writer, uint64_t value)
{
	wire_put_bytes(writer, &value, sizeof(value));
}

void wire_put_string(struct wire_writer *writer, const char *string)
{
	size_t size = string ? strlen(string) + 1 : 0;

	wire_put_u32(writer, size);
	wire_put_bytes(writer, string, size);
}

void wire_put_strings(struct wire_writer *writer, const struct strings *strings)
{
	wire_put_u32(writer, strings->n_items);
	for (size_t i = 0; i < strings->n_items; i++)
		wire_put_string(writer, strings->items[i]);
}

bool wire_check(struct wire_reader *reader, bool ok)
{
	if (!ok)
		reader->is_bad = true;
	return !reader->is_bad;
}

void wire_bytes(struct wire_reader *reader, void *ret_bytes, size_t size)
{
	if (!wire_check(reader, size <= reader->left)) {
		memset(ret_bytes, 0, size);
		return;
	}
	memcpy(ret_bytes, reader->at, size);
	reader->at += size;
	reader->left -= size;
}

uint32_t wire_u32(struct wire_reader *reader)
{
	uint32_t value;

	wire_bytes(reader, &value, sizeof(value));
	return value;
}

uint64_t wire_u64(struct wire_reader *reader)
{
	uint64_t value;

	wire_bytes(reader, &value, sizeof(value));
	return value;
}

uint32_t wire_u32_below(struct wire_reader *reader, uint32_t limit)
{
	uint32_t value = wire_u32(reader);

	return wire_check(reader, value < limit) ? value : 0;
}

uint64_t wire_u64_below(struct wire_reader *reader, uint64_t limit)
{
	uint64_t value = wire_u64(reader);

	return wire_check(reader, value < limit) ? value : 0;
}

bool wire_bool(struct wire_reader *reader)
{
	return wire_u32_below(reader, 2);
}

const char *wire_optional(struct wire_reader *reader)
{
	uint32_t size = wire_u32(reader);
	const char *string = reader->at;

	if (!size || !wire_check(reader, size <= reader->left && strnlen(string, size) == size - 1))
		return NULL;
	reader->at += size;
	reader->left -= size;
	return string;
}

const char *wire_string(struct wire_reader *reader)
{
	const char *string = wire_optional(reader);

	wire_check(reader, string);
	return string ?: "";
}

int wire_strings(struct wire_reader *reader, struct strings *strings)
{
	uint32_t n = wire_u32(reader);
	int r = 0;

	for (uint32_t i = 0; i < n && r >= 0 && !reader->is_bad; i++) {
		const char *string = wire_string(reader);

		if (!reader->is_bad)
			r = strings_add(strings, string);
	}
	return r;
}
