/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/function.h - the code of one function: its pieces, where each instruction begins, and those that lead elsewhere */
#ifndef PERFFLOW_BINARY_FUNCTION_H
#define PERFFLOW_BINARY_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/binary.h"
#include "binary/instruction.h"
#include "binary/symbol.h"
#include "binary/unwind.h"

struct function_piece {
	uint64_t start, end; /* addresses */
	uint64_t file_offset;
	size_t at; /* in bytes and sizes */
};

struct function_flow { /* an instruction that leads elsewhere than to the next */
	uint64_t address;
	uint64_t target; /* of a direct jump, call or branch; of others 0 */
	struct instruction instruction;
};

struct function {
	const struct binary *binary;
	const struct symbols *symbols;
	const struct unwind *unwind;
	uint64_t entry;
	struct function_piece *pieces; /* the first has the entry */
	size_t n_pieces;
	uint8_t *bytes; /* of all pieces */
	uint8_t *sizes; /* beside each byte that begins an instruction, its size; else 0 */
	size_t n_bytes, room;
	struct function_flow *flows;
	size_t n_flows;
	const char *problem; /* the first thing that could not be understood, or NULL */
	uint64_t *references; /* what it refers to as memory, of its own code */
	size_t n_references;
};

/* Reads the function with all that its direct jumps lead to and that is no function with a name. Reuses what it holds. */
int function_read(struct function *function, const struct symbol *symbol);
void function_done(struct function *function);

/* Adds what a case of a switch leads to. */
int function_follow(struct function *function, uint64_t target);

/*
 * The same of a direct jump. One to a ret adds nothing: many functions have one in common where they are compiled with
 * -mfunction-return=thunk-extern, and unless it lies in a piece that is there for another reason, the jump is the exit.
 */
int function_follow_jump(struct function *function, uint64_t target);

/* Whether there is a ret, and nothing before it. */
bool function_is_return(const struct function *function, uint64_t address);

/* Whether code lies there that belongs to no function with a name. */
bool function_is_unnamed(const struct function *function, uint64_t address);

const struct function_piece *function_piece_at(const struct function *function, uint64_t address);
/* The bytes from there to the end of the piece, or NULL. */
const uint8_t *function_bytes(const struct function *function, uint64_t address, size_t *ret_size);
/* Whether an instruction begins there; what a lock prefix stands before counts. */
bool function_has_instruction(const struct function *function, uint64_t address);
/* The instruction before, or 0 at the start of a piece. */
uint64_t function_previous(const struct function *function, uint64_t address);

#endif
