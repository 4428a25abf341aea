/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Of what the symbol tables have, one name for an address is kept, side by side: so the size of all
 * is known, and a file with an absurd string table costs no more than what is used of it. Names are
 * demangled at once, by who reads the file: they are no more to be trusted than the rest of it.
 */
#include "inspect/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/sorted.h"
#include "binary/symbol.h"
#include "util/cleanup.h"

#define SEGMENT_BYTES (3 * sizeof(uint64_t) + sizeof(uint32_t)) /* of a message */
#define MAX_NESTING 8 /* functions that begin between an address and the beginning of its own */

struct function {
	uint64_t address, size; /* 0 if it is not known */
	size_t name;		/* where in the names */
};

void functions_done(struct functions *functions)
{
	free(functions->segments);
	free(functions->items);
	free(functions->names);
	*functions = (struct functions){0};
}

/* The end of the symbols that have the address of the first one. */
static size_t end_of_group(const struct symbols *symbols, size_t first)
{
	size_t end = first + 1;

	while (end < symbols->n_items &&
	       symbols->items[end].address == symbols->items[first].address)
		end++;
	return end;
}

static size_t count_groups(const struct symbols *symbols)
{
	size_t n = 0;

	for (size_t i = 0; i < symbols->n_items; i = end_of_group(symbols, i))
		n++;
	return n;
}

static int keep_name(struct text *names, const char *linker_name)
{
	_cleanup_free_ char *demangled = NULL;
	const char *name;

	if (symbol_demangle(linker_name, false, &demangled) == -ENOMEM)
		return -ENOMEM;
	name = demangled ?: linker_name;
	return text_append(names, name, strlen(name) + 1);
}

/* The first name at an address is the best one; any may know the size. */
static int keep_all(const struct symbols *symbols, size_t max_name_bytes, struct functions *functions,
		    struct text *names)
{
	size_t end;
	int r = 0;

	for (size_t i = 0; i < symbols->n_items && r >= 0; i = end) {
		struct function *function = &functions->items[functions->n_items++];

		end = end_of_group(symbols, i);
		*function = (struct function){.address = symbols->items[i].address, .name = names->size};
		for (size_t j = i; j < end && !function->size; j++)
			function->size = symbols->items[j].size;
		r = keep_name(names, symbols->items[i].linker_name);
		if (r >= 0 && names->size > max_name_bytes)
			r = -E2BIG;
	}
	return r;
}

static int keep_symbols(const struct symbols *symbols, size_t max_bytes,
			struct functions *functions)
{
	_cleanup_(text_done) struct text names = {0};
	size_t n = count_groups(symbols), n_bytes = n * sizeof(struct function);
	int r;

	if (!n)
		return 0;
	if (n_bytes > max_bytes)
		return -E2BIG;
	functions->items = calloc(n, sizeof(struct function));
	if (!functions->items)
		return -ENOMEM;
	r = keep_all(symbols, max_bytes - n_bytes, functions, &names);
	if (r < 0)
		return r;
	functions->n_name_bytes = names.size;
	functions->n_bytes = n_bytes + names.size;
	functions->names = take_ptr(names.data);
	return 0;
}

int functions_read(struct binary *binary, size_t max_bytes, struct functions *ret_functions)
{
	_cleanup_(functions_done) struct functions functions = {0};
	_cleanup_(symbols_done) struct symbols symbols = {0};
	int r;

	r = symbols_read_names(binary, &symbols, NULL);
	if (r >= 0)
		r = keep_symbols(&symbols, max_bytes, &functions);
	if (r < 0)
		return r;
	functions.segments = take_ptr(binary->segments);
	functions.n_segments = binary->n_segments;
	*ret_functions = functions;
	functions = (struct functions){0};
	return 0;
}

void functions_put(struct wire_writer *writer, const struct functions *functions)
{
	wire_put_u64(writer, functions->n_segments);
	for (size_t i = 0; i < functions->n_segments; i++) {
		wire_put_u64(writer, functions->segments[i].address);
		wire_put_u64(writer, functions->segments[i].file_offset);
		wire_put_u64(writer, functions->segments[i].file_bytes);
		wire_put_u32(writer, functions->segments[i].executable);
	}
	wire_put_u64(writer, functions->n_items);
	wire_put_bytes(writer, functions->items, functions->n_items * sizeof(struct function));
	wire_put_u64(writer, functions->n_name_bytes);
	wire_put_bytes(writer, functions->names, functions->n_name_bytes);
}

/* A count of things that take so many bytes each of what is left. */
static size_t take_count(struct wire_reader *reader, size_t bytes)
{
	return wire_u64_below(reader, reader->left / bytes + 1);
}

static int take_segments(struct wire_reader *reader, struct functions *functions)
{
	size_t n = take_count(reader, SEGMENT_BYTES);

	functions->segments = calloc(n + 1, sizeof(*functions->segments));
	if (!functions->segments)
		return -ENOMEM;
	functions->n_segments = n;
	for (size_t i = 0; i < n; i++) {
		functions->segments[i].address = wire_u64(reader);
		functions->segments[i].file_offset = wire_u64(reader);
		functions->segments[i].file_bytes = wire_u64(reader);
		functions->segments[i].executable = wire_bool(reader);
	}
	return 0;
}

static int take_items(struct wire_reader *reader, struct functions *functions)
{
	functions->n_items = take_count(reader, sizeof(struct function));
	functions->items = calloc(functions->n_items + 1, sizeof(struct function));
	if (!functions->items)
		return -ENOMEM;
	wire_bytes(reader, functions->items, functions->n_items * sizeof(struct function));
	functions->n_name_bytes = take_count(reader, 1);
	functions->names = malloc(functions->n_name_bytes + 1);
	if (!functions->names)
		return -ENOMEM;
	wire_bytes(reader, functions->names, functions->n_name_bytes);
	functions->names[functions->n_name_bytes] = '\0';
	for (size_t i = 0; i < functions->n_items; i++)
		wire_check(reader, functions->items[i].name < functions->n_name_bytes);
	return 0;
}

int functions_take(const char *data, size_t size, struct functions *ret_functions)
{
	_cleanup_(functions_done) struct functions functions = {0};
	struct wire_reader reader = {.at = data, .left = size};
	int r;

	r = take_segments(&reader, &functions);
	if (r >= 0)
		r = take_items(&reader, &functions);
	if (r < 0)
		return r;
	if (!wire_check(&reader, !reader.left))
		return -EBADMSG;
	functions.n_bytes = functions.n_items * sizeof(struct function) + functions.n_name_bytes;
	*ret_functions = functions;
	functions = (struct functions){0};
	return 0;
}

/* As the file has it; what is in no executable segment stays as it is. */
static uint64_t address_of(const struct functions *functions, uint64_t offset)
{
	for (size_t i = 0; i < functions->n_segments; i++) {
		const struct binary_segment *segment = &functions->segments[i];

		if (segment->executable && offset >= segment->file_offset &&
		    offset - segment->file_offset < segment->file_bytes)
			return segment->address + (offset - segment->file_offset);
	}
	return offset;
}

/* One without a size goes on to the next. */
static const struct function *function_at(const struct functions *functions, uint64_t address)
{
	size_t n = sorted_until(functions->items, functions->n_items, address, address);

	for (size_t i = 0; i < MAX_NESTING && i < n; i++) {
		const struct function *function = &functions->items[n - 1 - i];

		if (address - function->address < function->size || (i == 0 && !function->size))
			return function;
	}
	return NULL;
}

/* A call may be the last instruction of a function, which its return address is behind then. */
static const struct function *function_called_from(const struct functions *functions,
						   uint64_t address)
{
	const struct function *function = address ? function_at(functions, address - 1) : NULL;

	return function ?: function_at(functions, address);
}

int functions_print(const struct functions *functions, const char *module, uint64_t offset,
		    struct text *text)
{
	uint64_t address = address_of(functions, offset);
	const struct function *function = function_called_from(functions, address);

	if (!function)
		return text_printf(text, "[%s+0x%llx]", module, (unsigned long long)address);
	return text_printf(text, "%s+0x%llx (%s)", functions->names + function->name,
			   (unsigned long long)(address - function->address), module);
}
