/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Every instruction of AArch64 is one word, so only where it leads has to be decoded. What a word is that is no branch is
 * not asked: data among code is found by the loads that refer to it.
 */
#include "binary/instruction.h"

#include <elf.h>
#include <string.h>

#include "perfflow/branch.h"

#define WORD_BYTES 4

static int64_t signed_bits(uint32_t word, unsigned int low, unsigned int n)
{
	return (int64_t)((uint64_t)(word >> low) << (64 - n)) >> (64 - n);
}

/* Displacements count from the instruction, ours from its end. */
static void lead(struct instruction *instruction, enum instruction_kind kind, int64_t n_words)
{
	instruction->kind = kind;
	instruction->displacement = n_words * WORD_BYTES - WORD_BYTES;
}

static bool decode_branch(uint32_t word, struct instruction *instruction)
{
	bool is_set = word & 1u << 24;
	uint8_t code = word & 15, number = word & 31;

	if ((word & 0xff000000) == 0x54000000) { /* b.cond, and bc.cond */
		lead(instruction, code < 14 ? INSTRUCTION_BRANCH : INSTRUCTION_JUMP, signed_bits(word, 5, 19));
		instruction->condition.code = code;
		return true;
	}
	if ((word & 0x7e000000) == 0x34000000) { /* cbz, cbnz; 31 is no register but zero */
		lead(instruction, number < 31 ? INSTRUCTION_BRANCH : INSTRUCTION_REGISTER_BRANCH, signed_bits(word, 5, 19));
		instruction->condition.code = PF_BRANCH_REGISTER | (is_set ? PF_BRANCH_NOT_ZERO : 0) |
					      (word >> 31 ? PF_BRANCH_WIDE : 0) | number;
		return true;
	}
	if ((word & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
		lead(instruction, INSTRUCTION_REGISTER_BRANCH, signed_bits(word, 5, 14));
		return true;
	}
	return false;
}

/* br, blr and ret with their kinds that authenticate the address (FEAT_PAuth). */
static enum instruction_kind kind_of_register_branch(uint32_t word)
{
	switch (word >> 21 & 7) {
	case 0:
		return INSTRUCTION_JUMP_INDIRECT;
	case 1:
		return INSTRUCTION_CALL;
	case 2:
		return INSTRUCTION_RETURN;
	default: /* eret, drps */
		return INSTRUCTION_FAR;
	}
}

bool instruction_decode_arm64(const uint8_t *code, size_t size, struct instruction *ret_instruction)
{
	struct instruction instruction = {.size = WORD_BYTES};
	uint32_t word;

	if (size < WORD_BYTES)
		return false;
	memcpy(&word, code, sizeof(word));

	if ((word & 0xfc000000) == 0x14000000)
		lead(&instruction, INSTRUCTION_JUMP, signed_bits(word, 0, 26));
	else if ((word & 0xfc000000) == 0x94000000)
		lead(&instruction, INSTRUCTION_CALL, signed_bits(word, 0, 26));
	else if ((word & 0xfe000000) == 0xd6000000)
		instruction.kind = kind_of_register_branch(word);
	else if ((word & 0xffe00000) == 0xd4200000 || (word & 0xffff0000) == 0) /* brk, udf */
		instruction.kind = INSTRUCTION_TRAP;
	else if (word == 0xd503201f)
		instruction.kind = INSTRUCTION_NOP;
	else if (!decode_branch(word, &instruction) && (word & 0x3b000000) == 0x18000000) { /* ldr of a literal */
		lead(&instruction, INSTRUCTION_PLAIN, signed_bits(word, 5, 19));
		instruction.is_relative = true;
	}
	*ret_instruction = instruction;
	return true;
}

bool instruction_decode(uint16_t machine, const uint8_t *code, size_t size, struct instruction *ret_instruction)
{
	if (machine == EM_X86_64)
		return instruction_decode_x86(code, size, ret_instruction);
	return instruction_decode_arm64(code, size, ret_instruction);
}
