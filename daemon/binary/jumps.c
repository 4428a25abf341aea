/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Functions written in assembly share tails: mempcpy of the C library jumps to the second instruction of memcpy. So the jumps
 * of one function do not tell whether a place in it is reached from its entry alone; all of the binary is read for that, once,
 * from where functions begin. Bytes that several of them claim are read for the first one only, so that the time is bounded
 * by the file's size whatever it says.
 */
#include "binary/jumps.h"

#include <errno.h>
#include <stdlib.h>

#include "binary/instruction.h"
#include "binary/sorted.h"

#define MAX_PIECE_BYTES (64u << 20)

struct reader {
	const struct binary *binary;
	const struct symbols *symbols;
	struct jumps jumps;
	uint64_t done_until;
	uint8_t *bytes;
	size_t room;
};

void jumps_done(struct jumps *jumps)
{
	free(jumps->targets);
	*jumps = (struct jumps){};
}

static int add_target(struct reader *reader, uint64_t target)
{
	const struct symbol *symbol = symbols_before(reader->symbols, target);
	struct jumps *jumps = &reader->jumps;
	int r;

	if (!symbol || symbol->address == target || target - symbol->address > JUMPS_MAX_BYTES)
		return 0;
	r = array_grow(&jumps->targets, jumps->n_targets, sizeof(*jumps->targets));
	if (r == 0)
		jumps->targets[jumps->n_targets++] = target;
	return r;
}

static int read_jumps(struct reader *reader, uint64_t address, size_t size)
{
	struct instruction instruction;
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += instruction.size) {
		if (!instruction_decode_x86(reader->bytes + at, size - at, &instruction))
			return 0;
		if (instruction.kind == INSTRUCTION_JUMP || instruction.kind == INSTRUCTION_BRANCH ||
		    instruction.kind == INSTRUCTION_REGISTER_BRANCH)
			r = add_target(reader, address + at + instruction.size + instruction.displacement);
	}
	return r;
}

static int make_room(struct reader *reader, size_t size)
{
	uint8_t *bytes;

	if (size <= reader->room)
		return 0;
	bytes = realloc(reader->bytes, 2 * size);
	if (!bytes)
		return -ENOMEM;
	reader->bytes = bytes;
	reader->room = 2 * size;
	return 0;
}

static int read_piece(struct reader *reader, uint64_t start, uint64_t end)
{
	uint64_t file_offset;
	ssize_t size;
	int r;

	if (start < reader->done_until)
		start = reader->done_until;
	if (start >= end || end - start > MAX_PIECE_BYTES || binary_file_offset(reader->binary, start, &file_offset) < 0)
		return 0;
	reader->done_until = end;
	r = make_room(reader, end - start);
	if (r < 0)
		return r;
	size = binary_read(reader->binary, file_offset, reader->bytes, end - start);
	return size < 0 ? 0 : read_jumps(reader, start, size);
}

/* In the order of addresses: a symbol first, then what .eh_frame says there is beyond its end. */
static int read_pieces(struct reader *reader, const struct unwind *unwind)
{
	const struct symbols *symbols = reader->symbols;
	size_t s = 0, u = 0;
	int r = 0;

	while (r == 0 && (s < symbols->n_items || u < unwind->n_ranges)) {
		const struct symbol *symbol = s < symbols->n_items ? &symbols->items[s] : NULL;
		const struct unwind_range *range = u < unwind->n_ranges ? &unwind->ranges[u] : NULL;

		if (symbol && (!range || symbol->address <= range->start)) {
			r = symbol->size > UINT64_MAX - symbol->address
				    ? 0
				    : read_piece(reader, symbol->address, symbol->address + symbol->size);
			s++;
		} else {
			r = read_piece(reader, range->start, range->end);
			u++;
		}
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

int jumps_read(const struct binary *binary, const struct symbols *symbols, const struct unwind *unwind,
	       struct jumps *ret_jumps)
{
	struct reader reader = {.binary = binary, .symbols = symbols};
	int r;

	r = read_pieces(&reader, unwind);
	free(reader.bytes);
	if (r < 0) {
		jumps_done(&reader.jumps);
		return r;
	}
	if (reader.jumps.n_targets)
		qsort(reader.jumps.targets, reader.jumps.n_targets, sizeof(*reader.jumps.targets), by_number);
	*ret_jumps = reader.jumps;
	return 0;
}

bool jumps_lead_behind(const struct jumps *jumps, uint64_t entry, uint64_t target)
{
	return sorted_numbers_until(jumps->targets, jumps->n_targets, target) >
	       sorted_numbers_until(jumps->targets, jumps->n_targets, entry);
}
