/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Only the first instructions are looked at, by their bytes: no disassembler is needed for that.
 * The rules are those of arch/x86/kernel/uprobes.c. What the kernel refuses has to be known here,
 * since one refused probe fails all that are attached together with it where the file is mapped
 * already, and is left out in silence where it is not.
 *
 * Behind `endbr64` the probe moves on only where nothing but the function's entry leads to the next
 * instruction: push, of which no compiler makes the head of a loop; nop, which stands before a
 * label and not behind it; a jump to elsewhere, to which a jump would have been made to go there at
 * once. It does not move to a call or a conditional jump: a loop may begin with a call, and a
 * condition that nothing has set yet is no compiler's. At all of them the stack pointer is still
 * the one of the entry, which return probes need.
 *
 * On AArch64 `bti` and `paciasp` are executed out of line like others, so the probe stays at the
 * entry.
 */
#include "probe/site.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define ENDBR64_BYTES  4
#define MAX_CODE_BYTES 32

/*
 * One bit for each opcode: may a probe be put on it? The kernel's table for 64-bit code, row by
 * row.
 */
static const uint16_t good_opcodes[16] = {
	0xbf3f, 0x3f3f, 0x7f7f, 0x7f7f, 0xffff, 0xffff, 0x0ff8, 0xffff,
	0xfffb, 0xfbff, 0xffff, 0xffff, 0x0fff, 0xff8f, 0x0b0f, 0xf3ec,
};

static bool is_jump_elsewhere(const uint8_t *code, size_t size)
{
	static const uint8_t to_itself[] = {0xfb, 0xff, 0xff, 0xff};

	if (size >= 2 && code[0] == 0xeb)
		return code[1] != 0xfe;
	return size >= 5 && code[0] == 0xe9 && memcmp(code + 1, to_itself, sizeof(to_itself)) != 0;
}

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

bool site_is_emulated(const uint8_t *code, size_t size)
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
 * Vector instructions (VEX, EVEX) are judged by their opcode in the table of other instructions,
 * which refuses common ones, as vmovd and vpxor: so does the kernel.
 */
static bool is_refused(const uint8_t *code, size_t size)
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
	opcode = code[bytes_before_opcode(*code)];
	return !(good_opcodes[opcode >> 4] & (1u << (opcode & 15)));
}

static bool begins_with_endbr(const uint8_t *code, size_t size)
{
	static const uint8_t endbr64[ENDBR64_BYTES] = {0xf3, 0x0f, 0x1e, 0xfa};

	return size > ENDBR64_BYTES && memcmp(code, endbr64, ENDBR64_BYTES) == 0;
}

static int choose_x86(const struct symbol *symbol, const uint8_t *code, size_t size,
		      struct site *site, struct why *why)
{
	if (symbol->size && symbol->size < size)
		size = symbol->size;
	if (is_refused(code, size))
		return why_say(why, -ENOENT,
			       "'%s' cannot be probed: the kernel refuses its first instruction",
			       symbol->linker_name);

	site->is_emulated = site_is_emulated(code, size);
	if (!begins_with_endbr(code, size))
		return 0;
	code += ENDBR64_BYTES;
	size -= ENDBR64_BYTES;
	if (is_push(code, size) || is_nop(code, size) || is_jump_elsewhere(code, size)) {
		site->entry_offset += ENDBR64_BYTES;
		site->is_emulated = true;
	}
	return 0;
}

int site_choose(const struct binary *binary, const struct symbol *symbol, struct site *ret_site,
		struct why *why)
{
	struct site site = {.entry_offset = symbol->file_offset};
	uint8_t code[MAX_CODE_BYTES];
	ssize_t size;
	int r = 0;

	size = binary_read(binary, symbol->file_offset, code, sizeof(code));
	if (size < 0)
		return why_set(why, size, "cannot read the code of '%s'", symbol->linker_name);
	if (size == 0)
		return why_say(why, -ENOENT, "'%s' cannot be probed: its code is not in the file",
			       symbol->linker_name);

	if (binary->machine == EM_X86_64)
		r = choose_x86(symbol, code, size, &site, why);
	else if (symbol->address % 4 != 0)
		r = why_say(why, -ENOENT,
			    "'%s' cannot be probed: it does not begin at an instruction",
			    symbol->linker_name);
	if (r < 0)
		return r;

	/* Go moves its stacks, and with them what a return probe has put there */
	site.has_return_probe = !symbol->returns_oddly && !binary->is_go;
	*ret_site = site;
	return 0;
}
