/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/instruction.h - one machine instruction: how long it is, where it leads, and what a kernel makes of it under a probe
 *
 * Fast, and no more than that; for what an instruction computes there is Capstone.
 */
#ifndef PERFFLOW_BINARY_INSTRUCTION_H
#define PERFFLOW_BINARY_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum instruction_kind {
	INSTRUCTION_PLAIN, /* leads to the next one */
	INSTRUCTION_NOP,
	INSTRUCTION_CALL,
	INSTRUCTION_TRAP,	  /* leads nowhere */
	INSTRUCTION_RETURN,
	INSTRUCTION_JUMP,	  /* to displacement */
	INSTRUCTION_BRANCH,	  /* the same if its condition holds */
	INSTRUCTION_REGISTER_BRANCH, /* the same by a register, in a way that perfflow/branch.h cannot tell: loop, jrcxz, tbz */
	INSTRUCTION_JUMP_INDIRECT,
	INSTRUCTION_FAR, /* x86-64's far jumps and returns, iret */
};

struct branch {
	uint8_t code; /* when it is taken: see perfflow/branch.h */
};

struct instruction {
	uint8_t size;
	uint8_t kind;	       /* enum instruction_kind */
	bool is_relative;      /* displacement leads to memory that it refers to */
	struct branch condition; /* of a branch */
	int64_t displacement;  /* from the end of the instruction */
};

/* False: no instruction begins there, or it does not end within size bytes. */
bool instruction_decode_x86(const uint8_t *code, size_t size, struct instruction *ret_instruction);
bool instruction_decode_arm64(const uint8_t *code, size_t size, struct instruction *ret_instruction);
bool instruction_decode(uint16_t machine, const uint8_t *code, size_t size, struct instruction *ret_instruction);

/* Whether the kernel of that machine emulates it at a probe; what it does not, it single-steps out of line. */
bool instruction_is_emulated(uint16_t machine, const uint8_t *code, size_t size);

/* Whether it refuses to put a probe there. */
bool instruction_is_refused(uint16_t machine, const uint8_t *code, size_t size);

#endif
