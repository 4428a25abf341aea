/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A function begins at its symbol. Compilers move unlikely code elsewhere (f.cold), optimisers share tails between functions,
 * and a stripped file names neither. So a jump is followed to whatever is not the start of a function with a name: to the
 * range of .eh_frame that holds its target, or into the midst of another function. What was a static function without
 * a name, left for by a tail call, so counts as a piece of its caller, which is what a return probe would say too. A jump to a
 * ret is not followed: nothing of the function is left but to return, so that the jump is as good a place, and the ret, which
 * others may have in common with it, would be hit by their calls too.
 *
 * Each piece is decoded from its start to its end, as disassemblers do, and not along its jumps: switch tables would hide
 * most of it. That this is right shows in the jumps, each of which must lead to the start of an instruction, in the
 * end, which must not run on into what follows, and in no instruction using the code as data. Where one of these
 * fails there is a `problem`, and nothing is claimed about the function.
 */
#include "binary/function.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PIECES 64
#define MAX_BYTES  (4u << 20)

static void set_problem(struct function *function, const char *problem)
{
	if (!function->problem)
		function->problem = problem;
}

const struct function_piece *function_piece_at(const struct function *function, uint64_t address)
{
	for (size_t i = 0; i < function->n_pieces; i++) {
		if (address >= function->pieces[i].start && address < function->pieces[i].end)
			return &function->pieces[i];
	}
	return NULL;
}

const uint8_t *function_bytes(const struct function *function, uint64_t address, size_t *ret_size)
{
	const struct function_piece *piece = function_piece_at(function, address);

	if (!piece)
		return NULL;
	*ret_size = piece->end - address;
	return function->bytes + piece->at + (address - piece->start);
}

bool function_has_instruction(const struct function *function, uint64_t address)
{
	const struct function_piece *piece = function_piece_at(function, address);
	size_t at;

	if (!piece)
		return false;
	at = piece->at + (address - piece->start);
	if (function->sizes[at])
		return true;
	return function->binary->machine == EM_X86_64 && address > piece->start && function->sizes[at - 1] > 1 &&
	       function->bytes[at - 1] == 0xf0;
}

uint64_t function_previous(const struct function *function, uint64_t address)
{
	const struct function_piece *piece = function_piece_at(function, address);

	if (!piece)
		return 0;
	while (address > piece->start) {
		address--;
		if (function->sizes[piece->at + (address - piece->start)])
			return address;
	}
	return 0;
}

bool function_is_unnamed(const struct function *function, uint64_t address)
{
	const struct symbol *symbol = symbols_before(function->symbols, address);

	if (symbol && (symbol->address == address || address - symbol->address < symbol->size))
		return false;
	return unwind_find_range(function->unwind, address);
}

/* `jmp *GOT`, behind endbr64 or bnd, or what AArch64 has for it: the linker's stub for a function elsewhere. */
static bool is_stub(const struct function *function, uint64_t address)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint8_t code[16] = {}, *at = code;
	uint32_t words[4];
	uint64_t offset;

	if (binary_file_offset(function->binary, address, &offset) < 0 ||
	    binary_read(function->binary, offset, code, sizeof(code)) < (ssize_t)sizeof(code))
		return false;
	if (function->binary->machine == EM_X86_64) {
		if (memcmp(at, endbr64, sizeof(endbr64)) == 0)
			at += sizeof(endbr64);
		if (*at == 0xf2)
			at++;
		return at[0] == 0xff && at[1] == 0x25;
	}
	/* adrp x16; ldr x17; add x16 (not always); br x17; bti before it */
	memcpy(words, code, sizeof(words));
	for (size_t i = 0; i < 2; i++) {
		if ((words[i] & 0x9f00001f) == 0x90000010 && (words[i + 1] & 0xffc003ff) == 0xf9400211)
			return true;
	}
	return false;
}

/* Pieces do not overlap: what another one has already is cut off. */
static bool cut(const struct function *function, uint64_t target, struct unwind_range *range)
{
	for (size_t i = 0; i < function->n_pieces; i++) {
		const struct function_piece *piece = &function->pieces[i];

		if (piece->start > target && piece->start < range->end)
			range->end = piece->start;
		if (piece->end <= target && piece->end > range->start)
			range->start = piece->end;
	}
	return range->start <= target && target < range->end;
}

static int make_room(struct function *function, size_t size)
{
	size_t room = function->room ? function->room : 4096;
	uint8_t *bytes, *sizes;

	while (room - function->n_bytes < size)
		room *= 2;
	if (room == function->room)
		return 0;
	bytes = realloc(function->bytes, room);
	if (!bytes)
		return -ENOMEM;
	function->bytes = bytes;
	sizes = realloc(function->sizes, room);
	if (!sizes)
		return -ENOMEM;
	function->sizes = sizes;
	function->room = room;
	return 0;
}

static int add_flow(struct function *function, uint64_t address, const struct instruction *instruction)
{
	struct function_flow flow = {.address = address, .instruction = *instruction};
	int r;

	switch (instruction->kind) {
	case INSTRUCTION_PLAIN:
	case INSTRUCTION_NOP:
		if (!instruction->is_relative)
			return 0;
		r = array_grow(&function->references, function->n_references, sizeof(*function->references));
		if (r == 0)
			function->references[function->n_references++] =
				address + instruction->size + instruction->displacement;
		return r;
	case INSTRUCTION_JUMP:
	case INSTRUCTION_BRANCH:
	case INSTRUCTION_REGISTER_BRANCH:
		flow.target = address + instruction->size + instruction->displacement;
		break;
	}
	r = array_grow(&function->flows, function->n_flows, sizeof(*function->flows));
	if (r == 0)
		function->flows[function->n_flows++] = flow;
	return r;
}

static bool may_end_with(uint8_t kind)
{
	switch (kind) {
	case INSTRUCTION_CALL: /* of a function that does not return */
	case INSTRUCTION_TRAP:
	case INSTRUCTION_RETURN:
	case INSTRUCTION_JUMP:
	case INSTRUCTION_JUMP_INDIRECT:
	case INSTRUCTION_FAR:
		return true;
	}
	return false;
}

static int decode_piece(struct function *function, const struct function_piece *piece)
{
	uint8_t last = INSTRUCTION_PLAIN;
	size_t size = piece->end - piece->start, at = 0;
	struct instruction instruction;
	int r = 0;

	memset(function->sizes + piece->at, 0, size);
	while (r == 0 && at < size) {
		if (!instruction_decode(function->binary->machine, function->bytes + piece->at + at, size - at,
					&instruction)) {
			set_problem(function, "not all of its bytes are instructions");
			return 0;
		}
		function->sizes[piece->at + at] = instruction.size;
		if (instruction.kind != INSTRUCTION_PLAIN || instruction.is_relative)
			r = add_flow(function, piece->start + at, &instruction);
		if (instruction.kind != INSTRUCTION_NOP)
			last = instruction.kind;
		at += instruction.size;
	}
	if (!may_end_with(last))
		set_problem(function, "it runs on into what follows it");
	return r;
}

static int add_piece(struct function *function, struct unwind_range range)
{
	size_t size = range.end - range.start;
	struct function_piece piece = {.start = range.start, .end = range.end, .at = function->n_bytes};
	ssize_t n;
	int r;

	if (function->n_pieces >= MAX_PIECES || range.end - range.start > MAX_BYTES - function->n_bytes) {
		set_problem(function, "it is too large, or in too many pieces");
		return 0;
	}
	if (binary_file_offset(function->binary, piece.start, &piece.file_offset) < 0) {
		set_problem(function, "it jumps out of the program's code");
		return 0;
	}
	r = make_room(function, size);
	if (r < 0)
		return r;
	n = binary_read(function->binary, piece.file_offset, function->bytes + piece.at, size);
	if (n < (ssize_t)size) {
		set_problem(function, "its code is not in the file");
		return 0;
	}
	r = array_grow(&function->pieces, function->n_pieces, sizeof(*function->pieces));
	if (r < 0)
		return r;
	function->n_bytes += size;
	function->pieces[function->n_pieces++] = piece;
	return decode_piece(function, &piece);
}

bool function_is_return(const struct function *function, uint64_t address)
{
	uint64_t offset;
	uint8_t bytes[2];

	if (function->binary->machine != EM_X86_64 || binary_file_offset(function->binary, address, &offset) < 0 ||
	    binary_read(function->binary, offset, bytes, sizeof(bytes)) < (ssize_t)sizeof(bytes))
		return false;
	return bytes[0] == 0xc3 || (bytes[0] == 0xf3 && bytes[1] == 0xc3);
}

int function_follow(struct function *function, uint64_t target)
{
	const struct symbol *symbol;
	const struct unwind_range *known;
	struct unwind_range range;

	if (function_piece_at(function, target))
		return 0;
	symbol = symbols_before(function->symbols, target);
	if ((symbol && symbol->address == target) || is_stub(function, target))
		return 0;
	known = unwind_find_range(function->unwind, target);
	if (symbol && target - symbol->address < symbol->size) {
		range = (struct unwind_range){symbol->address, symbol->address + symbol->size};
	} else if (known) {
		range = *known;
	} else {
		set_problem(function, "it jumps to code of which nothing is known");
		return 0;
	}
	if (!cut(function, target, &range))
		return 0;
	return add_piece(function, range);
}

/* Whether code lies there, with a name or without. */
static bool is_known(const struct function *function, uint64_t address)
{
	const struct symbol *symbol = symbols_before(function->symbols, address);

	return (symbol && address - symbol->address < symbol->size) || unwind_find_range(function->unwind, address);
}

int function_follow_jump(struct function *function, uint64_t target)
{
	if (is_known(function, target) && function_is_return(function, target))
		return 0;
	return function_follow(function, target);
}

static int follow_flows(struct function *function)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < function->n_flows && !function->problem; i++) {
		if (function->flows[i].target)
			r = function_follow_jump(function, function->flows[i].target);
	}
	return r;
}

int function_read(struct function *function, const struct symbol *symbol)
{
	const struct unwind_range *known = unwind_find_range(function->unwind, symbol->address);
	struct unwind_range range = {symbol->address, symbol->address};
	int r;

	function->n_pieces = function->n_bytes = function->n_flows = function->n_references = 0;
	function->problem = NULL;
	function->entry = symbol->address;

	if (symbol->size <= UINT64_MAX - symbol->address)
		range.end += symbol->size;
	if (known && known->start == symbol->address && known->end > range.end)
		range.end = known->end;
	if (range.end == range.start) {
		set_problem(function, "its size is not known");
		return 0;
	}
	r = add_piece(function, range);
	return r < 0 ? r : follow_flows(function);
}

void function_done(struct function *function)
{
	free(function->pieces);
	free(function->bytes);
	free(function->sizes);
	free(function->flows);
	free(function->references);
	*function = (struct function){};
}
