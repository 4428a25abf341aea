/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The exits of a function are its returns and the jumps that lead out of what function.c has found to belong to it. Most of
 * the work is finding where instructions begin; Capstone is asked for little (indirect jumps, the entry block), since it
 * is far slower than what is needed here.
 *
 * "Complete" is a promise that others build on, so whatever is odd breaks it: bytes that are no instruction, jumps into the
 * midst of one, code used as data, a return to an address that the function itself has put on the stack, a jump to a place
 * that is computed. The last function that was read is kept, since its entry is usually asked for next.
 */
#include "binary/code.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/function.h"
#include "binary/indirect.h"
#include "binary/jumps.h"

#define MAX_ENTRY_INSTRUCTIONS 8
#define MAX_ENTRY_BYTES	       JUMPS_MAX_BYTES

struct code {
	const struct binary *binary;
	csh capstone;
	cs_insn *insn;
	struct function function;
	bool has_function; /* of this symbol: */
	uint64_t address, size;
	bool has_switch;
	struct code_exits exits; /* of it; handed out as copies */
	struct jumps jumps; /* of the whole binary, read when a place behind an entry is first asked about: */
	bool has_jumps;
};

int code_open(const struct binary *binary, const struct symbols *symbols, const struct unwind *unwind,
	      struct code **ret_code)
{
	_cleanup_(code_closep) struct code *code = NULL;
	cs_arch arch = binary->machine == EM_X86_64 ? CS_ARCH_X86 : CS_ARCH_ARM64;
	cs_mode mode = binary->machine == EM_X86_64 ? CS_MODE_64 : CS_MODE_ARM;

	if (binary->machine != EM_X86_64 && binary->machine != EM_AARCH64)
		return -EOPNOTSUPP;
	code = calloc(1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	code->binary = binary;
	code->function = (struct function){.binary = binary, .symbols = symbols, .unwind = unwind};
	if (cs_open(arch, mode, &code->capstone) != CS_ERR_OK)
		return -EOPNOTSUPP;
	cs_option(code->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	code->insn = cs_malloc(code->capstone);
	if (!code->insn)
		return -ENOMEM;
	*ret_code = take_ptr(code);
	return 0;
}

void code_close(struct code *code)
{
	if (!code)
		return;
	if (code->insn)
		cs_free(code->insn, 1);
	if (code->capstone)
		cs_close(&code->capstone);
	code_exits_done(&code->exits);
	jumps_done(&code->jumps);
	function_done(&code->function);
	free(code);
}

void code_exits_done(struct code_exits *exits)
{
	free(exits->items);
	*exits = (struct code_exits){};
}

static void not_complete(struct code_exits *exits, const char *reason)
{
	exits->is_complete = false;
	if (!exits->reason)
		exits->reason = reason;
}

static int add_exit(struct code *code, const struct function_flow *flow, enum code_exit_kind kind)
{
	const struct function_piece *piece = function_piece_at(&code->function, flow->address);
	struct code_exits *exits = &code->exits;
	size_t size = 0;
	const uint8_t *bytes = function_bytes(&code->function, flow->address, &size);
	int r;

	if (instruction_is_refused(code->binary->machine, bytes, size))
		not_complete(exits, "the kernel refuses a probe on an instruction that leaves it");
	r = array_grow(&exits->items, exits->n_items, sizeof(*exits->items));
	if (r < 0)
		return r;
	exits->items[exits->n_items++] = (struct code_exit){
		.file_offset = piece->file_offset + (flow->address - piece->start),
		.kind = kind,
		.is_emulated = instruction_is_emulated(code->binary->machine, bytes, size),
		.condition = flow->instruction.condition,
	};
	return 0;
}

/* push reg; ret, or mov reg, (%rsp); ret: a jump in disguise */
static bool returns_elsewhere(const struct function *function, uint64_t address)
{
	uint64_t previous = function_previous(function, address);
	size_t size = 0;
	const uint8_t *bytes = previous ? function_bytes(function, previous, &size) : NULL;

	if (!bytes || function->binary->machine != EM_X86_64)
		return false;
	if ((*bytes & 0xf0) == 0x40) {
		bytes++;
		size--;
	}
	if (*bytes >= 0x50 && *bytes <= 0x57)
		return true;
	return size >= 3 && bytes[0] == 0x89 && (bytes[1] & 0xc7) == 0x04 && bytes[2] == 0x24;
}

/* Whatever may add a piece, so that what lies in one is known before any jump is judged. */
static int follow_flow(struct code *code, const struct function_flow *flow)
{
	struct function_flow copy = *flow; /* following a table may move the array */
	enum indirect_kind kind;
	int r;

	if (copy.target)
		return function_follow_jump(&code->function, copy.target);
	if (copy.instruction.kind != INSTRUCTION_JUMP_INDIRECT)
		return 0;
	r = indirect_find_kind(code->capstone, code->insn, &code->function, copy.address, &kind);
	if (r < 0)
		return r;
	if (kind == INDIRECT_SWITCH)
		code->has_switch = true;
	else if (kind == INDIRECT_TAIL_CALL)
		return add_exit(code, &copy, CODE_EXIT_JUMP);
	else
		not_complete(&code->exits, "it jumps to an address that is computed");
	return 0;
}

/* A ret, or a jump to one. */
static int judge_return(struct code *code, const struct function_flow *flow, enum code_exit_kind kind)
{
	if (returns_elsewhere(&code->function, flow->address))
		not_complete(&code->exits, "it returns to an address that it has put on the stack");
	return add_exit(code, flow, kind);
}

static int judge_jump(struct code *code, const struct function_flow *flow)
{
	bool is_return = function_is_return(&code->function, flow->target);

	if (function_piece_at(&code->function, flow->target)) {
		if (flow->target == code->function.entry)
			code->exits.loops_to_entry = true;
		return 0;
	}
	if (flow->instruction.kind == INSTRUCTION_REGISTER_BRANCH) {
		not_complete(&code->exits, "it leaves by a branch on a bit or a count");
		return 0;
	}
	if (flow->instruction.kind == INSTRUCTION_BRANCH)
		return is_return ? judge_return(code, flow, CODE_EXIT_BRANCH_TO_RETURN) : add_exit(code, flow, CODE_EXIT_BRANCH);
	return is_return ? judge_return(code, flow, CODE_EXIT_RETURN) : add_exit(code, flow, CODE_EXIT_JUMP);
}

static int judge_flow(struct code *code, const struct function_flow *flow)
{
	switch (flow->instruction.kind) {
	case INSTRUCTION_RETURN:
		return judge_return(code, flow, CODE_EXIT_RETURN);
	case INSTRUCTION_CALL:
		code->exits.calls_nobody = false;
		return 0;
	case INSTRUCTION_FAR:
		not_complete(&code->exits, "it leaves by a far jump or return");
		return 0;
	case INSTRUCTION_JUMP:
	case INSTRUCTION_BRANCH:
	case INSTRUCTION_REGISTER_BRANCH:
		return judge_jump(code, flow);
	default:
		return 0;
	}
}

/* What has to hold of all of it, when all its pieces are known. */
static void check_whole(struct code *code)
{
	const struct function *function = &code->function;

	if (function->problem)
		not_complete(&code->exits, function->problem);
	for (size_t i = 0; i < function->n_flows; i++) {
		uint64_t target = function->flows[i].target;

		if (target && function_piece_at(function, target) && !function_has_instruction(function, target))
			not_complete(&code->exits, "it jumps into the middle of an instruction");
	}
	for (size_t i = 0; i < function->n_references; i++) {
		/* its own address it may well compare with, or hand on */
		if (function->references[i] != function->entry && function_piece_at(function, function->references[i]))
			not_complete(&code->exits, "data may lie among its code");
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct code_exit *left = a, *right = b;

	return (left->file_offset > right->file_offset) - (left->file_offset < right->file_offset);
}

static int read_function(struct code *code, const struct symbol *symbol)
{
	struct code_exits *exits = &code->exits;
	int r;

	if (code->has_function && code->address == symbol->address && code->size == symbol->size)
		return 0;
	code->has_function = code->has_switch = false;
	exits->n_items = 0;
	exits->is_complete = exits->calls_nobody = true;
	exits->loops_to_entry = false;
	exits->reason = NULL;

	r = function_read(&code->function, symbol);
	for (size_t i = 0; r == 0 && i < code->function.n_flows; i++)
		r = follow_flow(code, &code->function.flows[i]);
	for (size_t i = 0; r == 0 && i < code->function.n_flows; i++)
		r = judge_flow(code, &code->function.flows[i]);
	if (r < 0)
		return r;
	check_whole(code);
	for (size_t i = 0; i < exits->n_items; i++)
		exits->calls_nobody &= code_exit_is_return(exits->items[i].kind);
	exits->calls_nobody &= exits->is_complete;
	if (exits->n_items)
		qsort(exits->items, exits->n_items, sizeof(*exits->items), by_offset);

	code->address = symbol->address;
	code->size = symbol->size;
	code->has_function = true;
	return 0;
}

int code_find_exits(struct code *code, const struct symbol *symbol, struct code_exits *ret_exits)
{
	struct code_exits exits;
	int r;

	r = read_function(code, symbol);
	if (r < 0)
		return r;
	exits = code->exits;
	exits.items = NULL;
	if (exits.n_items) {
		exits.items = malloc(exits.n_items * sizeof(*exits.items));
		if (!exits.items)
			return -ENOMEM;
		memcpy(exits.items, code->exits.items, exits.n_items * sizeof(*exits.items));
	}
	*ret_exits = exits;
	return 0;
}

/* Those of vectors carry arguments too, but nobody can read them at a probe. */
static bool carries_argument(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RDI:
	case X86_REG_EDI:
	case X86_REG_DI:
	case X86_REG_DIL:
	case X86_REG_RSI:
	case X86_REG_ESI:
	case X86_REG_SI:
	case X86_REG_SIL:
	case X86_REG_RDX:
	case X86_REG_EDX:
	case X86_REG_DX:
	case X86_REG_DL:
	case X86_REG_DH:
	case X86_REG_RCX:
	case X86_REG_ECX:
	case X86_REG_CX:
	case X86_REG_CL:
	case X86_REG_CH:
	case X86_REG_R8:
	case X86_REG_R8D:
	case X86_REG_R8W:
	case X86_REG_R8B:
	case X86_REG_R9:
	case X86_REG_R9D:
	case X86_REG_R9W:
	case X86_REG_R9B:
	case X86_REG_RSP:
	case X86_REG_ESP:
		return true;
	}
	return false;
}

/* Whether a probe behind the instruction, of size bytes, sees what one before it would: the stack pointer and the arguments. */
static bool is_harmless(struct code *code, const uint8_t *bytes, size_t size, uint64_t address)
{
	cs_regs read, written;
	uint8_t n_read = 0, n_written = 0;

	if (!cs_disasm_iter(code->capstone, &bytes, &size, &address, code->insn) || size != 0 ||
	    cs_regs_access(code->capstone, code->insn, read, &n_read, written, &n_written) != CS_ERR_OK)
		return false;
	/* what a system call does to registers, and enter to the stack pointer, Capstone does not tell; xbegin leads elsewhere */
	if (cs_insn_group(code->capstone, code->insn, CS_GRP_INT) || code->insn->id == X86_INS_ENTER ||
	    code->insn->id == X86_INS_XBEGIN)
		return false;
	for (uint8_t i = 0; i < n_written; i++) {
		if (carries_argument(written[i]))
			return false;
	}
	return true;
}

static bool is_nop5(const uint8_t *bytes, size_t size)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

	return size >= sizeof(nop5) && memcmp(bytes, nop5, sizeof(nop5)) == 0;
}

static bool is_endbr64(const uint8_t *bytes, size_t size)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};

	return size >= sizeof(endbr64) && memcmp(bytes, endbr64, sizeof(endbr64)) == 0;
}

static bool is_push(const uint8_t *bytes, size_t size)
{
	if (size >= 2 && bytes[0] == 0x41)
		return bytes[1] >= 0x50 && bytes[1] <= 0x57;
	return size >= 1 && bytes[0] >= 0x50 && bytes[0] <= 0x57;
}

/*
 * Whether anything but what runs on from the entry leads to the target, or to what lies before it. No compiler makes the head
 * of a loop of a push, so behind endbr64 it can be had without asking.
 */
static bool is_jumped_over(struct code *code, const struct symbol *symbol, uint64_t target)
{
	const struct function *function = &code->function;
	const struct symbol *nearest = symbols_before(function->symbols, target);

	if (nearest && nearest->address > symbol->address) /* another function begins there */
		return true;
	if (read_function(code, symbol) < 0 || !code->exits.is_complete || code->has_switch)
		return true;
	if (!code->has_jumps && jumps_read(code->binary, function->symbols, function->unwind, &code->jumps) < 0)
		return true;
	code->has_jumps = true;
	return jumps_lead_behind(&code->jumps, symbol->address, target);
}

/* Offsets from the entry, within what runs on from it and changes nothing that a probe would look at. */
struct entry_places {
	size_t emulated, allowed; /* the first instruction of that kind, or NOWHERE */
	bool is_push_behind_endbr; /* the emulated one */
};
#define NOWHERE SIZE_MAX

static struct entry_places find_entry_places(struct code *code, const struct symbol *symbol, const uint8_t *bytes, size_t size)
{
	struct entry_places places = {NOWHERE, NOWHERE, false};
	struct instruction instruction;

	for (size_t i = 0, at = 0; i < MAX_ENTRY_INSTRUCTIONS && at < size; i++, at += instruction.size) {
		const uint8_t *here = bytes + at;
		size_t left = size - at;
		bool only_endbr = i == 1 && is_endbr64(bytes, size);

		if (i == 0 || only_endbr || !is_nop5(here, left)) {
			if (places.allowed == NOWHERE && !instruction_is_refused(EM_X86_64, here, left))
				places.allowed = at;
			if (instruction_is_emulated(EM_X86_64, here, left)) {
				places.emulated = at;
				places.is_push_behind_endbr = only_endbr && is_push(here, left);
				break;
			}
		}
		if (!instruction_decode_x86(here, left, &instruction) ||
		    (instruction.kind != INSTRUCTION_PLAIN && instruction.kind != INSTRUCTION_NOP) ||
		    !is_harmless(code, here, instruction.size, symbol->address + at))
			break;
	}
	return places;
}

/* How many bytes behind the entry the probe goes. */
static size_t entry_shift(struct code *code, const struct symbol *symbol, const uint8_t *bytes, size_t size)
{
	struct entry_places places = find_entry_places(code, symbol, bytes, size);

	if (places.emulated != NOWHERE && (places.emulated == 0 || places.is_push_behind_endbr ||
					   !is_jumped_over(code, symbol, symbol->address + places.emulated)))
		return places.emulated;
	if (places.allowed == 0 || places.allowed == NOWHERE ||
	    is_jumped_over(code, symbol, symbol->address + places.allowed))
		return 0;
	return places.allowed;
}

static void describe(struct code *code, const uint8_t *bytes, size_t size, uint64_t address, struct code_entry *entry)
{
	char text[sizeof(code->insn->mnemonic) + sizeof(code->insn->op_str) + 1];

	if (!cs_disasm_iter(code->capstone, &bytes, &size, &address, code->insn))
		return;
	snprintf(text, sizeof(text), "%s%s%s", code->insn->mnemonic, code->insn->op_str[0] ? " " : "", code->insn->op_str);
	text[sizeof(entry->instruction) - 1] = '\0';
	strcpy(entry->instruction, text);
}

int code_find_entry(struct code *code, const struct symbol *symbol, struct code_entry *ret_entry)
{
	struct code_entry entry = {.file_offset = symbol->file_offset};
	uint8_t bytes[MAX_ENTRY_BYTES];
	size_t shift = 0;
	ssize_t size;

	size = binary_read(code->binary, symbol->file_offset, bytes, sizeof(bytes));
	if (size < 0)
		return size;
	if (symbol->size && symbol->size < (uint64_t)size)
		size = symbol->size;
	if (size == 0)
		return -EBADMSG;
	if (code->binary->machine == EM_X86_64)
		shift = entry_shift(code, symbol, bytes, size);
	entry.file_offset += shift;
	entry.is_emulated = instruction_is_emulated(code->binary->machine, bytes + shift, size - shift);
	entry.is_optimised = code->binary->machine == EM_X86_64 && is_nop5(bytes + shift, size - shift);
	describe(code, bytes + shift, size - shift, symbol->address + shift, &entry);
	*ret_entry = entry;
	return 0;
}
