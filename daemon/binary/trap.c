/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What an x86-64 kernel makes of an instruction under a probe follows arch/x86/kernel/uprobes.c: push, nop, jumps and call are
 * emulated. What it refuses has to be known here, since one refused probe fails all that are attached together with it
 * where the file is mapped already, and is left out in silence where it is not.
 *
 * On AArch64 (arch/arm64/kernel/probes/decode-insn.c) everything that reads the program counter is emulated, ret too, and
 * exclusive loads and stores, system registers and exceptions are refused.
 */
#include "binary/instruction.h"

#include <elf.h>
#include <string.h>

/*
 * One bit for each opcode: may a probe be put on it? The kernel's table for 64-bit code, row by
 * row.
 */
static const uint16_t good_opcodes[16] = {
	0xbf3f, 0x3f3f, 0x7f7f, 0x7f7f, 0xffff, 0xffff, 0x0ff8, 0xffff,
	0xfffb, 0xfbff, 0xffff, 0xffff, 0x0fff, 0xff8f, 0x0b0f, 0xf3ec,
};

static bool is_push(const uint8_t *code, size_t size)
{
	if (size >= 2 && code[0] == 0x41) /* of r8 to r15 */
		return code[1] >= 0x50 && code[1] <= 0x57;
	return size >= 1 && code[0] >= 0x50 && code[0] <= 0x57;
}

/*
 * Not `f3 90`, which is pause. The nop of five bytes is what kernels from 6.18 use a system call
 * for.
 */
static bool is_nop(const uint8_t *code, size_t size)
{
	static const uint8_t five[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

	if (size >= 1 && code[0] == 0x90)
		return true;
	if (size >= 2 && code[0] == 0x66 && code[1] == 0x90)
		return true;
	return size >= sizeof(five) && memcmp(code, five, sizeof(five)) == 0;
}

static bool is_emulated_x86(const uint8_t *code, size_t size)
{
	if (is_push(code, size) || is_nop(code, size))
		return true;
	if (size >= 2 && (code[0] == 0xeb || (code[0] >= 0x70 && code[0] <= 0x7f)))
		return true;
	if (size >= 5 && (code[0] == 0xe8 || code[0] == 0xe9))
		return true;
	return size >= 6 && code[0] == 0x0f && code[1] >= 0x80 && code[1] <= 0x8f;
}

/* lock, and the segments that mean nothing in 64-bit code */
static bool is_refused_prefix(uint8_t byte)
{
	return byte == 0xf0 || byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e;
}

static bool is_prefix(uint8_t byte)
{
	return is_refused_prefix(byte) || (byte >= 0x64 && byte <= 0x67) || byte == 0xf2 ||
	       byte == 0xf3;
}

/* AMD's FMA4 and XOP, which glibc has builds for: the kernel's decoder does not know them. */
static bool is_undecoded(const uint8_t *code)
{
	if (code[0] == 0x8f)
		return (code[1] & 0x1f) >= 8;
	return code[0] == 0xc4 && (code[1] & 0x1f) == 3 &&
	       ((code[3] >= 0x5c && code[3] <= 0x5f) || (code[3] >= 0x64 && code[3] <= 0x7f));
}

/* How many bytes stand before the opcode: REX, VEX, EVEX. */
static size_t bytes_before_opcode(uint8_t first)
{
	switch (first) {
	case 0xc5:
		return 2;
	case 0xc4:
		return 3;
	case 0x62:
		return 4;
	default:
		return (first & 0xf0) == 0x40;
	}
}

/*
 * What the kernel emulates it tells by the opcode alone, not by what stands before it: vpcmpeqb is taken for je, vpor for jmp,
 * vpsubsb for call, and xchg with r8 for nop. After pushf it leaves the flag of the single step on the stack. A probe there would lead the program astray.
 */
static bool is_misread(const uint8_t *code)
{
	size_t before = bytes_before_opcode(*code);
	uint8_t opcode = code[before];

	if (before < 2)
		return opcode == 0x9c || (opcode == 0x90 && before == 1 && (*code & 1));
	return (opcode & 0xf0) == 0x70 || opcode == 0x90 || opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb;
}

/*
 * Vector instructions (VEX, EVEX) are judged by their opcode in the table of other instructions,
 * which refuses common ones, as vmovd and vpxor: so does the kernel.
 */
static bool is_refused_x86(const uint8_t *code, size_t size)
{
	uint8_t opcode;

	for (; size && is_prefix(*code); code++, size--) {
		if (is_refused_prefix(*code))
			return true;
	}
	if (!size || size <= bytes_before_opcode(*code))
		return true;
	if (size >= 4 && is_undecoded(code))
		return true;
	if (is_misread(code))
		return true;
	opcode = code[bytes_before_opcode(*code)];
	return !(good_opcodes[opcode >> 4] & (1u << (opcode & 15)));
}

/* Branches, adr, adrp, and loads of literals. */
static bool is_emulated_arm64(uint32_t word)
{
	return (word & 0x7c000000) == 0x14000000 || (word & 0xff000010) == 0x54000000 ||
	       (word & 0x7e000000) == 0x34000000 || (word & 0x7e000000) == 0x36000000 ||
	       (word & 0xff9ffc1f) == 0xd61f0000 || (word & 0x1f000000) == 0x10000000 ||
	       (word & 0xbf000000) == 0x18000000 || (word & 0xff000000) == 0x98000000;
}

/* Hints are judged one by one: nop, bti, and the signing of return addresses may be stepped. */
static bool is_refused_arm64(uint32_t word)
{
	if ((word & 0xfffff01f) == 0xd503201f) {
		uint32_t hint = word >> 5 & 0x7f;

		return !(hint == 0 || (hint >= 6 && hint <= 8) || hint == 10 || hint == 12 || hint == 14 ||
			 (hint >= 24 && hint <= 31) || (hint >= 32 && hint <= 38 && hint % 2 == 0));
	}
	return (word & 0xff000000) == 0xd4000000 || /* svc, brk, hlt */
	       ((word & 0xffc00000) == 0xd5000000 && (word & 0xfff00000) != 0xd5300000) || /* system, but mrs */
	       (word & 0x3f800000) == 0x08000000; /* exclusive */
}

bool instruction_is_emulated(uint16_t machine, const uint8_t *code, size_t size)
{
	uint32_t word;

	if (machine == EM_X86_64)
		return is_emulated_x86(code, size);
	if (size < sizeof(word))
		return false;
	memcpy(&word, code, sizeof(word));
	return is_emulated_arm64(word);
}

bool instruction_is_refused(uint16_t machine, const uint8_t *code, size_t size)
{
	uint32_t word;

	if (machine == EM_X86_64)
		return is_refused_x86(code, size);
	if (size < sizeof(word))
		return true;
	memcpy(&word, code, sizeof(word));
	return is_refused_arm64(word);
}
