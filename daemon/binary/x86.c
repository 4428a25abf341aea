/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Capstone writes the text of every instruction that it decodes, which nothing turns off, and so takes 0.7 s for the code of
 * a library as large as LAMMPS; what finding the exits of a function needs of most instructions is their length. This finds
 * it from the opcode maps, thirty times as fast. Whatever has to be known better (what a jump through a register loads, what
 * an entry overwrites) is asked of Capstone. That the two agree is tested over the code of real libraries.
 *
 * What the maps leave undefined is refused, and so is a jump with an operand-size prefix, which Intel's and AMD's processors
 * read differently.
 */
#include "binary/instruction.h"

#include <string.h>

#define MAX_INSTRUCTION_BYTES 15

/* What follows an opcode. */
enum {
	NONE = 0,
	IMM8 = 1,
	IMM16 = 2,
	IMMZ = 4,	/* 4 bytes, or 2 with an operand-size prefix */
	MODRM = 8,
	RELATIVE = 16,	/* the immediate is a displacement */
	SPECIAL = 32,	/* see immediate_bytes() */
	BAD = 64,
};

struct decoder {
	const uint8_t *code;
	size_t size, at;
	bool has_66, has_67, has_f2, has_rex_w;
	uint8_t rex;
	uint8_t modrm;	    /* where there is one */
	size_t relative_at; /* of the displacement of memory relative to the instruction, or 0 */
};

#define M  MODRM
#define M1 (MODRM | IMM8)
#define MZ (MODRM | IMMZ)
#define R1 (RELATIVE | IMM8)
#define RZ (RELATIVE | IMMZ)
#define I1 IMM8
#define IZ IMMZ
#define I2 IMM16
#define S  SPECIAL
#define MS (MODRM | SPECIAL)
#define B  BAD
static const uint8_t one_byte[256] = {
	M, M, M, M, I1, IZ, B, B, M, M, M, M, I1, IZ, B, B,	    /* 00 */
	M, M, M, M, I1, IZ, B, B, M, M, M, M, I1, IZ, B, B,	    /* 10 */
	M, M, M, M, I1, IZ, B, B, M, M, M, M, I1, IZ, B, B,	    /* 20 */
	M, M, M, M, I1, IZ, B, B, M, M, M, M, I1, IZ, B, B,	    /* 30 */
	B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,		    /* 40: REX, taken before */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,		    /* 50 */
	B, B, B, M, B, B, B, B, IZ, MZ, I1, M1, 0, 0, 0, 0,	    /* 60 */
	R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, R1, /* 70 */
	M1, MZ, B, M1, M, M, M, M, M, M, M, M, M, M, M, M,	    /* 80 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, B, 0, 0, 0, 0, 0,		    /* 90 */
	S, S, S, S, 0, 0, 0, 0, I1, IZ, 0, 0, 0, 0, 0, 0,	    /* a0 */
	I1, I1, I1, I1, I1, I1, I1, I1, S, S, S, S, S, S, S, S,	    /* b0 */
	M1, M1, I2, 0, B, B, M1, MZ, I1 | I2, 0, I2, 0, 0, I1, B, 0, /* c0 */
	M, M, M, M, B, B, B, 0, M, M, M, M, M, M, M, M,		    /* d0 */
	R1, R1, R1, R1, I1, I1, I1, I1, RZ, RZ, B, R1, 0, 0, 0, 0,   /* e0 */
	B, 0, B, B, 0, 0, MS, MS, 0, 0, 0, 0, 0, 0, M, M,	    /* f0 */
};
static const uint8_t two_byte[256] = { /* behind 0f */
	M, M, M, M, B, 0, 0, 0, 0, 0, B, 0, B, M, 0, M1,	    /* 00 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* 10 */
	M, M, M, M, B, B, B, B, M, M, M, M, M, M, M, M,		    /* 20 */
	0, 0, 0, 0, 0, 0, B, 0, B, B, B, B, B, B, B, B,		    /* 30: 38 and 3a taken before */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* 40 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* 50 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* 60 */
	M1, M1, M1, M1, M, M, M, 0, MS, M, B, B, M, M, M, M,	    /* 70 */
	RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, RZ, /* 80 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* 90 */
	0, 0, 0, M, M1, M, M, M, 0, 0, 0, M, M1, M, M, M,	    /* a0 */
	M, M, M, M, M, M, M, M, M, M, M1, M, M, M, M, M,	    /* b0 */
	M, M, M1, M, M1, M1, M1, M, 0, 0, 0, 0, 0, 0, 0, 0,	    /* c0 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* d0 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* e0 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,		    /* f0 */
};
#undef M
#undef M1
#undef MZ
#undef R1
#undef RZ
#undef I1
#undef IZ
#undef I2
#undef S
#undef MS
#undef B

static bool take(struct decoder *decoder, uint8_t *ret_byte)
{
	if (decoder->at >= decoder->size)
		return false;
	*ret_byte = decoder->code[decoder->at++];
	return true;
}

/* Prefixes and the first byte behind them. A REX counts only right before the opcode. */
static bool take_prefixes(struct decoder *decoder, uint8_t *ret_byte)
{
	for (;;) {
		if (!take(decoder, ret_byte))
			return false;
		switch (*ret_byte) {
		case 0x66:
			decoder->has_66 = true;
			break;
		case 0x67:
			decoder->has_67 = true;
			break;
		case 0xf2:
			decoder->has_f2 = true;
			break;
		case 0xf3:
		case 0xf0:
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
			break;
		default:
			if ((*ret_byte & 0xf0) != 0x40)
				return true;
			decoder->rex = *ret_byte;
			if (!take(decoder, ret_byte))
				return false;
			decoder->has_rex_w = decoder->rex & 8;
			if ((*ret_byte & 0xf0) != 0x40 && one_byte[*ret_byte] != BAD)
				return true;
			/* a REX that is followed by another prefix means nothing */
			if (*ret_byte == 0x0f || *ret_byte == 0xc4 || *ret_byte == 0xc5 || *ret_byte == 0x62)
				return true;
			return false;
		}
	}
}

/* The register or memory operand, but for its immediate. */
static bool take_modrm(struct decoder *decoder)
{
	uint8_t mod, rm, sib = 0;
	size_t bytes = 0;

	if (!take(decoder, &decoder->modrm))
		return false;
	mod = decoder->modrm >> 6;
	rm = decoder->modrm & 7;
	if (mod == 3)
		return true;
	if (rm == 4 && !take(decoder, &sib))
		return false;
	if (mod == 1)
		bytes = 1;
	else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		bytes = 4;
	if (mod == 0 && rm == 5)
		decoder->relative_at = decoder->at;
	decoder->at += bytes;
	return decoder->at <= decoder->size;
}

/* Maps of the vector encodings: 1 to 3 are 0f, 0f 38, 0f 3a; 5 and 6 of AVX512-FP16; 8 to 10 of XOP. */
static bool take_vector(struct decoder *decoder, uint8_t map)
{
	size_t bytes = 0;
	uint8_t opcode;

	if (decoder->has_rex_w || decoder->rex || !take(decoder, &opcode))
		return false;
	if (map == 1 && opcode == 0x77)
		return true;
	if (!take_modrm(decoder))
		return false;
	if (map == 3 || map == 8)
		bytes = 1;
	else if (map == 10)
		bytes = 4;
	else if (map == 1 && two_byte[opcode] & IMM8)
		bytes = 1;
	else if (map == 0 || map == 4 || map == 7 || map > 10)
		return false;
	decoder->at += bytes;
	return decoder->at <= decoder->size;
}

static bool skip(struct decoder *decoder, size_t n)
{
	decoder->at += n;
	return decoder->at <= decoder->size;
}

/* VEX, EVEX and XOP say the map in their second byte; 8f is a pop where that would be no map. */
static bool take_vector_prefix(struct decoder *decoder, uint8_t first, bool *ret_is_vector)
{
	uint8_t next = decoder->at < decoder->size ? decoder->code[decoder->at] : 0;

	*ret_is_vector = true;
	switch (first) {
	case 0xc5:
		return skip(decoder, 1) && take_vector(decoder, 1);
	case 0xc4:
		return (next & 0x1f) <= 3 && skip(decoder, 2) && take_vector(decoder, next & 0x1f);
	case 0x62:
		return skip(decoder, 3) && take_vector(decoder, next & 7);
	case 0x8f:
		if ((next & 0x1f) >= 8)
			return skip(decoder, 2) && take_vector(decoder, next & 0x1f);
		break;
	}
	*ret_is_vector = false;
	return true;
}

static size_t immediate_bytes(const struct decoder *decoder, uint8_t flags, uint8_t opcode, bool is_two_byte)
{
	size_t z = decoder->has_66 && !decoder->has_rex_w ? 2 : 4;

	if (!(flags & SPECIAL))
		return (flags & IMM8) + (flags & IMM16) + (flags & IMMZ ? z : 0);
	if (is_two_byte) /* 0f 78: extrq and insertq, else vmread */
		return decoder->has_66 || decoder->has_f2 ? 2 : 0;
	if (opcode >= 0xa0 && opcode <= 0xa3)
		return decoder->has_67 ? 4 : 8;
	if (opcode >= 0xb8 && opcode <= 0xbf)
		return decoder->has_rex_w ? 8 : z;
	/* f6 and f7: test has an immediate, not and neg have none */
	if ((decoder->modrm >> 3 & 7) > 1)
		return 0;
	return opcode == 0xf6 ? 1 : z;
}

static enum instruction_kind kind_of_one_byte(const struct decoder *decoder, uint8_t opcode)
{
	switch (opcode) {
	case 0x90:
		return decoder->rex & 1 ? INSTRUCTION_PLAIN : INSTRUCTION_NOP;
	case 0xc2:
	case 0xc3:
		return INSTRUCTION_RETURN;
	case 0xca:
	case 0xcb:
	case 0xcf:
		return INSTRUCTION_FAR;
	case 0xcc:
	case 0xf4:
		return INSTRUCTION_TRAP;
	case 0xe0 ... 0xe3:
		return INSTRUCTION_REGISTER_BRANCH;
	case 0xe8:
		return INSTRUCTION_CALL;
	case 0xe9:
	case 0xeb:
		return INSTRUCTION_JUMP;
	case 0xff:
		switch (decoder->modrm >> 3 & 7) {
		case 2:
		case 3:
			return INSTRUCTION_CALL;
		case 4:
			return INSTRUCTION_JUMP_INDIRECT;
		case 5:
			return INSTRUCTION_FAR;
		}
		return INSTRUCTION_PLAIN;
	}
	return (opcode & 0xf0) == 0x70 ? INSTRUCTION_BRANCH : INSTRUCTION_PLAIN;
}

static enum instruction_kind kind_of_two_byte(uint8_t opcode)
{
	switch (opcode) {
	case 0x0b:
	case 0xb9:
	case 0xff:
		return INSTRUCTION_TRAP;
	case 0x1f:
		return INSTRUCTION_NOP;
	}
	return (opcode & 0xf0) == 0x80 ? INSTRUCTION_BRANCH : INSTRUCTION_PLAIN;
}

static int32_t number_at(const struct decoder *decoder, size_t at)
{
	int32_t number;

	memcpy(&number, decoder->code + at, sizeof(number));
	return number;
}

static bool take_displacement(const struct decoder *decoder, size_t bytes, int64_t *ret_displacement)
{
	if (bytes == 2)
		return false;
	*ret_displacement = bytes == 1 ? (int8_t)decoder->code[decoder->at - 1] : number_at(decoder, decoder->at - 4);
	return true;
}

/* The maps behind 0f 38 and 0f 3a. */
static bool take_three_byte(struct decoder *decoder, uint8_t map)
{
	uint8_t opcode;

	return take(decoder, &opcode) && take_modrm(decoder) && skip(decoder, map == 0x3a);
}

/* Groups that are defined for some values of the register field only. */
static bool is_undefined(const struct decoder *decoder, uint8_t opcode)
{
	uint8_t field = decoder->modrm >> 3 & 7;

	switch (opcode) {
	case 0x8d:
		return decoder->modrm >> 6 == 3;
	case 0x8f:
		return field != 0;
	case 0xc6:
	case 0xc7: /* xabort and xbegin beside mov */
		return field != 0 && decoder->modrm != 0xf8;
	case 0xfe:
		return field > 1;
	case 0xff:
		return field == 7;
	}
	return false;
}

static bool take_opcode(struct decoder *decoder, uint8_t opcode, struct instruction *instruction)
{
	bool is_two_byte = opcode == 0x0f;
	size_t bytes;
	uint8_t flags;

	if (is_two_byte && !take(decoder, &opcode))
		return false;
	if (is_two_byte && (opcode == 0x38 || opcode == 0x3a))
		return take_three_byte(decoder, opcode);

	flags = is_two_byte ? two_byte[opcode] : one_byte[opcode];
	if (flags & BAD || (flags & MODRM && !take_modrm(decoder)))
		return false;
	if (!is_two_byte && is_undefined(decoder, opcode))
		return false;
	bytes = immediate_bytes(decoder, flags, opcode, is_two_byte);
	if (!skip(decoder, bytes))
		return false;
	instruction->kind = is_two_byte ? kind_of_two_byte(opcode) : kind_of_one_byte(decoder, opcode);
	if (instruction->kind == INSTRUCTION_BRANCH)
		instruction->condition.code = opcode & 15;
	return !(flags & RELATIVE) || take_displacement(decoder, bytes, &instruction->displacement);
}

bool instruction_decode_x86(const uint8_t *code, size_t size, struct instruction *ret_instruction)
{
	struct decoder decoder = {
		.code = code,
		.size = size < MAX_INSTRUCTION_BYTES ? size : MAX_INSTRUCTION_BYTES,
	};
	struct instruction instruction = {};
	bool is_vector;
	uint8_t byte;

	if (!take_prefixes(&decoder, &byte) || !take_vector_prefix(&decoder, byte, &is_vector))
		return false;
	if (!is_vector && !take_opcode(&decoder, byte, &instruction))
		return false;
	instruction.size = decoder.at;
	if (decoder.relative_at) {
		instruction.is_relative = true;
		instruction.displacement = number_at(&decoder, decoder.relative_at);
	}
	*ret_instruction = instruction;
	return true;
}
