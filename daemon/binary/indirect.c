/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A jump through memory without an index is taken for a tail call (by a vtable, the GOT, a callback), one with an index
 * may be a switch or a call out of a table of functions. For a jump through a register, what gave the register its value
 * is looked for backwards:
 *
 *     movslq (table,index,4), r; add table, r; jmp *r	    a switch, as compilers make them for code that can be loaded anywhere
 *     mov offset(object), r; jmp *r; an argument; a result  a tail call
 *
 * Backwards is the order of the file, through copies, and from the start of a block to all the jumps that lead there.
 * That is not always the order of execution. It need not be: a tail call that stays in the function is seen at the probe
 * to be none, by its stack pointer; and a switch is believed only where its table, which is read, leads into the function.
 * What leads out of it to code without a name is followed. AArch64 has tables of bytes and halves too, which count
 * instructions from an address that is not the table's:
 *
 *     ldrb w1, [table, index]; add x1, base, w1, sxtb #2; br x1
 */
#include "binary/indirect.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define MAX_STEPS	 4096
#define MAX_DEPTH	 6
#define MAX_TABLE	 4096
#define STEPS_TO_COMPARE 32

enum source {
	SOURCE_UNKNOWN,
	SOURCE_VALUE,	/* an argument, a result, or loaded from somewhere: the address of a function */
	SOURCE_TABLE8,	/* loaded from a table of addresses */
	SOURCE_TABLE4,	/* loaded from a table of distances, on AArch64 of any size */
	SOURCE_SUM,	/* a base and what SOURCE_TABLE4 has loaded: a switch */
	SOURCE_ADDRESS, /* of the code or data itself */
};

struct trace {
	csh capstone;
	cs_insn *insn;
	struct function *function;
	unsigned int reg;
	uint64_t at; /* the instruction that was looked at last */
	unsigned int *n_steps; /* of all that one jump leads to */
	/* where there are: the table's address, and the register and place where its base is to be looked for */
	uint64_t address;
	unsigned int base;
	uint64_t base_at;
	unsigned int index; /* the register that chooses the entry, where it was loaded */
	uint64_t load_at;
	/* AArch64: the register of the table there, its entries, and by how much they are shifted when they are added */
	unsigned int table, entry_bytes, shift;
	bool is_signed;
};

/* What a switch reads its targets from: each is the base and an entry. */
struct table {
	uint64_t address, base;
	unsigned int entry_bytes, shift;
	bool is_signed;
};

static enum source trace_back(struct trace *trace, unsigned int depth);

static bool decode(struct trace *trace, uint64_t address)
{
	size_t size = 0;
	const uint8_t *bytes = function_bytes(trace->function, address, &size);

	return bytes && cs_disasm_iter(trace->capstone, &bytes, &size, &address, trace->insn);
}

static uint8_t kind_at(const struct function *function, uint64_t address)
{
	struct instruction instruction = {};
	size_t size = 0;
	const uint8_t *bytes = function_bytes(function, address, &size);

	if (!bytes || !instruction_decode(function->binary->machine, bytes, size, &instruction))
		return INSTRUCTION_TRAP;
	return instruction.kind;
}

static bool leads_on(uint8_t kind)
{
	return kind != INSTRUCTION_JUMP && kind != INSTRUCTION_JUMP_INDIRECT && kind != INSTRUCTION_RETURN &&
	       kind != INSTRUCTION_TRAP && kind != INSTRUCTION_FAR;
}

/* To the instruction before in the same block. False: trace->at begins one, or the function. */
static bool step_back(struct trace *trace)
{
	const struct function *function = trace->function;
	uint64_t previous = function_previous(function, trace->at);

	/* what pads the space between blocks belongs to none */
	while (previous && kind_at(function, previous) == INSTRUCTION_NOP)
		previous = function_previous(function, previous);
	if (!previous || !leads_on(kind_at(function, previous)))
		return false;
	trace->at = previous;
	return true;
}

static unsigned int whole_register_x86(unsigned int reg)
{
	static const unsigned int parts[][5] = {
		{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
		{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
		{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
		{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
		{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
		{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
		{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
		{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
		{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
		{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
		{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
		{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
		{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
		{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
		{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(parts[i]); j++) {
			if (parts[i][j] == reg)
				return parts[i][0];
		}
	}
	return reg;
}

static unsigned int whole_register_arm64(unsigned int reg)
{
	if (reg >= ARM64_REG_W0 && reg <= ARM64_REG_W28)
		return ARM64_REG_X0 + (reg - ARM64_REG_W0);
	return reg;
}

static bool is_x86(const struct trace *trace)
{
	return trace->function->binary->machine == EM_X86_64;
}

static unsigned int whole_register(const struct trace *trace, unsigned int reg)
{
	return is_x86(trace) ? whole_register_x86(reg) : whole_register_arm64(reg);
}

static bool writes_register(const struct trace *trace)
{
	cs_regs read, written;
	uint8_t n_read = 0, n_written = 0;

	if (cs_regs_access(trace->capstone, trace->insn, read, &n_read, written, &n_written) != CS_ERR_OK)
		return true;
	for (uint8_t i = 0; i < n_written; i++) {
		if (whole_register(trace, written[i]) == trace->reg)
			return true;
	}
	return false;
}

/* A call leaves its result in one register, and nothing that is known in those that it need not keep. */
static enum source source_of_call(const struct trace *trace, bool *ret_is_kept)
{
	unsigned int reg = trace->reg;

	*ret_is_kept = is_x86(trace) ? reg == X86_REG_RBX || reg == X86_REG_RBP || (reg >= X86_REG_R12 && reg <= X86_REG_R15)
				     : reg >= ARM64_REG_X19 && reg <= ARM64_REG_X28;
	return reg == (is_x86(trace) ? (unsigned int)X86_REG_RAX : (unsigned int)ARM64_REG_X0) ? SOURCE_VALUE
												: SOURCE_UNKNOWN;
}

/* What a register has before the instruction that was looked at. */
static enum source source_before(const struct trace *trace, unsigned int reg, unsigned int depth, struct trace *ret_trace)
{
	*ret_trace = *trace;
	ret_trace->reg = whole_register(trace, reg);
	return trace_back(ret_trace, depth + 1);
}

/* A sum of two registers: one has been loaded from a table, the other is its base. */
static enum source source_of_sum(struct trace *trace, unsigned int left, unsigned int right, unsigned int depth)
{
	unsigned int registers[] = {left, right};
	struct trace other;

	for (size_t i = 0; i < 2; i++) {
		if (source_before(trace, registers[i], depth, &other) != SOURCE_TABLE4)
			continue;
		trace->base = registers[1 - i];
		trace->base_at = trace->at;
		trace->index = other.index;
		trace->load_at = other.load_at;
		trace->table = other.table;
		trace->entry_bytes = other.entry_bytes;
		trace->is_signed = other.is_signed;
		trace->shift = 0;
		return SOURCE_SUM;
	}
	return SOURCE_UNKNOWN;
}

static enum source source_of_load(struct trace *trace, const x86_op_mem *memory)
{
	if (memory->index == X86_REG_INVALID)
		return SOURCE_VALUE;
	trace->base = memory->base;
	trace->base_at = trace->load_at = trace->at;
	trace->index = memory->index;
	trace->address = memory->disp;
	return SOURCE_TABLE8;
}

/* False: look further back, for trace->reg. */
static bool source_x86(struct trace *trace, unsigned int depth, enum source *ret_source)
{
	const cs_x86_op *to = &trace->insn->detail->x86.operands[0], *from = &trace->insn->detail->x86.operands[1];

	*ret_source = SOURCE_UNKNOWN;
	switch (trace->insn->id) {
	case X86_INS_MOV:
		if (to->size < 8)
			return true;
		if (from->type == X86_OP_MEM)
			*ret_source = source_of_load(trace, &from->mem);
		if (from->type != X86_OP_REG)
			return true;
		trace->reg = from->reg;
		return false;
	case X86_INS_MOVSXD:
		if (from->type == X86_OP_MEM) {
			trace->index = from->mem.index;
			trace->load_at = trace->at;
			*ret_source = SOURCE_TABLE4;
			return true;
		}
		trace->reg = whole_register_x86(from->reg);
		return false;
	case X86_INS_ADD:
		if (from->type == X86_OP_REG)
			*ret_source = source_of_sum(trace, to->reg, from->reg, depth);
		return true;
	case X86_INS_LEA:
		if (from->mem.base != X86_REG_RIP)
			return true;
		trace->address = trace->insn->address + trace->insn->size + from->mem.disp;
		*ret_source = SOURCE_ADDRESS;
		return true;
	case X86_INS_XOR: /* with a rotation, how the C library hides addresses of functions */
		return from->type != X86_OP_MEM || from->mem.segment != X86_REG_FS;
	case X86_INS_ROL:
	case X86_INS_ROR:
		return false;
	}
	/* of two values that a conditional move chooses from, one is as good as the other */
	return strncmp(trace->insn->mnemonic, "cmov", 4) != 0;
}

/* An entry of a table, where it is loaded with an index. */
static enum source source_of_entry(struct trace *trace, unsigned int entry_bytes, bool is_signed)
{
	const cs_arm64_op *from = &trace->insn->detail->arm64.operands[1];

	if (from->type != ARM64_OP_MEM || from->mem.index == ARM64_REG_INVALID)
		return SOURCE_UNKNOWN;
	trace->table = from->mem.base;
	trace->index = from->mem.index;
	trace->load_at = trace->at;
	trace->entry_bytes = entry_bytes;
	trace->is_signed = is_signed;
	return SOURCE_TABLE4;
}

static enum source source_of_load_arm64(struct trace *trace)
{
	const cs_arm64_op *to = &trace->insn->detail->arm64.operands[0], *from = to + 1;

	if (from->type != ARM64_OP_MEM)
		return SOURCE_UNKNOWN;
	if (to->reg >= ARM64_REG_W0 && to->reg <= ARM64_REG_W30)
		return source_of_entry(trace, 4, false);
	return from->mem.index == ARM64_REG_INVALID ? SOURCE_VALUE : SOURCE_TABLE8;
}

/* A base, and what has been loaded from a table, which is extended or shifted. */
static enum source source_of_extended_sum(struct trace *trace, unsigned int depth)
{
	const cs_arm64_op *operands = trace->insn->detail->arm64.operands;
	const cs_arm64_op last = operands[2];
	unsigned int base = operands[1].reg;
	struct trace other;

	if (source_before(trace, last.reg, depth, &other) != SOURCE_TABLE4)
		return SOURCE_UNKNOWN;
	other.reg = trace->reg;
	other.base = base;
	other.base_at = other.at = trace->at;
	other.is_signed |= last.ext == ARM64_EXT_SXTB || last.ext == ARM64_EXT_SXTH || last.ext == ARM64_EXT_SXTW;
	other.shift = last.shift.type == ARM64_SFT_LSL ? last.shift.value : 0;
	*trace = other;
	return SOURCE_SUM;
}

/* An address within a page. */
static enum source source_of_offset(struct trace *trace, unsigned int depth)
{
	const cs_arm64_op *operands = trace->insn->detail->arm64.operands;
	const cs_arm64_op last = operands[2];
	struct trace other;

	if (last.shift.type != ARM64_SFT_INVALID || source_before(trace, operands[1].reg, depth, &other) != SOURCE_ADDRESS)
		return SOURCE_UNKNOWN;
	trace->address = other.address + last.imm;
	return SOURCE_ADDRESS;
}

static enum source source_of_add_arm64(struct trace *trace, unsigned int depth)
{
	const cs_arm64_op *operands = trace->insn->detail->arm64.operands, *last = &operands[2];

	if (last->type == ARM64_OP_IMM)
		return source_of_offset(trace, depth);
	if (last->type != ARM64_OP_REG)
		return SOURCE_UNKNOWN;
	if (last->ext != ARM64_EXT_INVALID || last->shift.type != ARM64_SFT_INVALID)
		return source_of_extended_sum(trace, depth);
	return source_of_sum(trace, operands[1].reg, last->reg, depth);
}

static bool source_arm64(struct trace *trace, unsigned int depth, enum source *ret_source)
{
	const cs_arm64_op *operands = trace->insn->detail->arm64.operands;

	*ret_source = SOURCE_UNKNOWN;
	switch (trace->insn->id) {
	case ARM64_INS_LDR:
	case ARM64_INS_LDUR:
		*ret_source = source_of_load_arm64(trace);
		return true;
	case ARM64_INS_LDP:
		*ret_source = SOURCE_VALUE;
		return true;
	case ARM64_INS_LDRSW:
		*ret_source = source_of_entry(trace, 4, true);
		return true;
	case ARM64_INS_LDRH:
	case ARM64_INS_LDRSH:
		*ret_source = source_of_entry(trace, 2, trace->insn->id == ARM64_INS_LDRSH);
		return true;
	case ARM64_INS_LDRB:
	case ARM64_INS_LDRSB:
		*ret_source = source_of_entry(trace, 1, trace->insn->id == ARM64_INS_LDRSB);
		return true;
	case ARM64_INS_ADR:
	case ARM64_INS_ADRP:
		trace->address = operands[1].imm;
		*ret_source = SOURCE_ADDRESS;
		return true;
	case ARM64_INS_MOV:
	case ARM64_INS_CSEL:
		if (operands[1].type != ARM64_OP_REG)
			return true;
		trace->reg = whole_register_arm64(operands[1].reg);
		return false;
	case ARM64_INS_ADD:
		*ret_source = source_of_add_arm64(trace, depth);
		return true;
	}
	return strncmp(trace->insn->mnemonic, "aut", 3) != 0;
}

/* At the start of a block: what all the jumps that lead there agree on. */
static enum source source_of_jumps(struct trace *trace, unsigned int depth)
{
	const struct function *function = trace->function;
	enum source agreed = SOURCE_UNKNOWN;
	struct trace found = *trace;

	if (trace->at == function->entry)
		return SOURCE_VALUE;
	for (size_t i = 0; i < function->n_flows; i++) {
		struct trace other = *trace;
		enum source source;

		if (function->flows[i].target != trace->at)
			continue;
		other.at = function->flows[i].address;
		source = trace_back(&other, depth + 1);
		if (source == SOURCE_UNKNOWN || (agreed != SOURCE_UNKNOWN && source != agreed))
			return SOURCE_UNKNOWN;
		agreed = source;
		found = other;
	}
	*trace = found;
	return agreed;
}

/* From trace->at backwards, for what gave trace->reg its value. */
static enum source trace_back(struct trace *trace, unsigned int depth)
{
	enum source source;
	bool is_kept;

	for (;;) {
		if (depth > MAX_DEPTH || ++*trace->n_steps > MAX_STEPS)
			return SOURCE_UNKNOWN;
		if (!step_back(trace))
			return source_of_jumps(trace, depth);
		if (kind_at(trace->function, trace->at) == INSTRUCTION_CALL) {
			source = source_of_call(trace, &is_kept);
			if (!is_kept)
				return source;
			continue;
		}
		if (!decode(trace, trace->at))
			return SOURCE_UNKNOWN;
		if (!writes_register(trace))
			continue;
		if (is_x86(trace) ? source_x86(trace, depth, &source) : source_arm64(trace, depth, &source))
			return source;
	}
}

/* Registers are restored right before: no switch does that, a tail call does. */
static bool ends_frame(const struct trace *jump)
{
	struct trace trace = *jump;

	for (int i = 0; i < STEPS_TO_COMPARE && step_back(&trace) && decode(&trace, trace.at); i++) {
		switch (is_x86(&trace) ? trace.insn->id : 0) {
		case X86_INS_POP:
		case X86_INS_LEAVE:
			return true;
		case X86_INS_PUSH:
		case X86_INS_CALL:
			return false;
		}
	}
	return false;
}

/*
 * How many entries its table has: one more than what the index was compared with, or masked by. 0: not found. The index is
 * followed through copies.
 */
static size_t count_table_arm64(const struct trace *load)
{
	struct trace trace = *load;

	trace.at = load->load_at;
	trace.reg = whole_register_arm64(load->index);
	for (int i = 0; i < STEPS_TO_COMPARE && step_back(&trace) && decode(&trace, trace.at); i++) {
		const cs_arm64_op *to = &trace.insn->detail->arm64.operands[0], *from = to + 1;

		if (trace.insn->id == ARM64_INS_CMP && to->type == ARM64_OP_REG && whole_register_arm64(to->reg) == trace.reg &&
		    from->type == ARM64_OP_IMM)
			return from->imm >= 0 && from->imm < MAX_TABLE ? from->imm + 1 : 0;
		if (!writes_register(&trace))
			continue;
		if (trace.insn->id != ARM64_INS_MOV || from->type != ARM64_OP_REG)
			return 0;
		trace.reg = whole_register_arm64(from->reg);
	}
	return 0;
}

static size_t count_table_x86(const struct trace *load)
{
	struct trace trace = *load;

	trace.at = load->load_at;
	trace.reg = whole_register_x86(load->index);
	for (int i = 0; i < STEPS_TO_COMPARE && step_back(&trace) && decode(&trace, trace.at); i++) {
		const cs_x86_op *to = &trace.insn->detail->x86.operands[0], *from = to + 1;
		unsigned int id = trace.insn->id;

		if ((id == X86_INS_CMP || id == X86_INS_AND) && to->type == X86_OP_REG &&
		    whole_register_x86(to->reg) == trace.reg && from->type == X86_OP_IMM)
			return from->imm >= 0 && from->imm < MAX_TABLE ? from->imm + 1 : 0;
		if (!writes_register(&trace))
			continue;
		if ((id != X86_INS_MOV && id != X86_INS_MOVZX && id != X86_INS_MOVSXD) || from->type != X86_OP_REG)
			return 0;
		trace.reg = whole_register_x86(from->reg);
	}
	return 0;
}

static size_t count_table(const struct trace *load)
{
	return is_x86(load) ? count_table_x86(load) : count_table_arm64(load);
}

static bool read_memory(const struct binary *binary, uint64_t address, void *ret_bytes, size_t size)
{
	for (size_t i = 0; i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];
		uint64_t into = address - segment->address;

		if (address >= segment->address && into < segment->file_bytes && size <= segment->file_bytes - into)
			return binary_read(binary, segment->file_offset + into, ret_bytes, size) == (ssize_t)size;
	}
	return false;
}

static bool read_target(const struct binary *binary, const struct table *table, size_t i, uint64_t *ret_target)
{
	unsigned int unused = 64 - 8 * table->entry_bytes;
	uint64_t entry = 0;

	if (!read_memory(binary, table->address + i * table->entry_bytes, &entry, table->entry_bytes))
		return false;
	if (table->is_signed) /* both kinds of machine have the low byte first */
		entry = (uint64_t)((int64_t)(entry << unused) >> unused);
	*ret_target = table->base + (entry << table->shift);
	return true;
}

/*
 * Without a count the table is read as far as it leads into the function, or into code without a name: rather more than
 * there is, at the price of a few probes, than a piece less.
 */
static int follow_table(struct function *function, const struct table *table, size_t n, enum indirect_kind *ret_kind)
{
	size_t n_inside = 0;
	int r;

	*ret_kind = INDIRECT_TAIL_CALL;
	for (size_t i = 0; i < (n ?: MAX_TABLE); i++) {
		uint64_t target;

		if (!read_target(function->binary, table, i, &target))
			break;
		if (n || function_is_unnamed(function, target)) {
			r = function_follow(function, target);
			if (r < 0)
				return r;
		}
		if (!function_has_instruction(function, target))
			break;
		n_inside++;
	}
	if (n ? n_inside == n : n_inside > 0)
		*ret_kind = INDIRECT_SWITCH;
	return 0;
}

/* A table of 32-bit distances from itself. */
static int follow_distances(struct function *function, uint64_t address, size_t n, enum indirect_kind *ret_kind)
{
	const struct table table = {.address = address, .base = address, .entry_bytes = 4, .is_signed = true};

	return follow_table(function, &table, n, ret_kind);
}

/* `lea table(%rip), reg` at an address: its REX prefix and ModRM byte have the register. */
static bool is_table_address(const struct trace *trace, uint64_t address, unsigned int reg, uint64_t *ret_table)
{
	size_t size = 0;
	const uint8_t *bytes = function_bytes(trace->function, address, &size);

	if (size < 7 || (bytes[0] & 0xf8) != 0x48 || bytes[1] != 0x8d || (bytes[2] & 0xc7) != 0x05)
		return false;
	if (!cs_disasm_iter(trace->capstone, &bytes, &size, &address, trace->insn) ||
	    trace->insn->detail->x86.operands[0].reg != (x86_reg)reg)
		return false;
	*ret_table = address + trace->insn->detail->x86.operands[1].mem.disp;
	return true;
}

/* The base was set long before, out of a loop: each address that its register gets anywhere may be the table's. */
static int follow_any_table(struct trace *trace, unsigned int base, size_t n, enum indirect_kind *ret_kind)
{
	struct function *function = trace->function;
	bool found = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < function->n_pieces; i++) {
		const struct function_piece piece = function->pieces[i];

		for (uint64_t at = 0; r == 0 && at < piece.end - piece.start; at++) {
			enum indirect_kind kind;
			uint64_t table;

			if (!function->sizes[piece.at + at] || !is_table_address(trace, piece.start + at, base, &table))
				continue;
			r = follow_distances(function, table, n, &kind);
			found |= kind == INDIRECT_SWITCH;
		}
	}
	*ret_kind = found ? INDIRECT_SWITCH : INDIRECT_UNKNOWN;
	return r;
}

/* Where a table or its base cannot be told, nothing is. */
static int judge_sum_arm64(struct trace *trace, enum indirect_kind *ret_kind)
{
	struct trace base = *trace, start = *trace;
	struct table table = {.entry_bytes = trace->entry_bytes, .shift = trace->shift, .is_signed = trace->is_signed};

	*ret_kind = INDIRECT_UNKNOWN;
	base.reg = whole_register_arm64(trace->base);
	base.at = trace->base_at;
	start.reg = whole_register_arm64(trace->table);
	start.at = trace->load_at;
	if (trace_back(&base, 0) != SOURCE_ADDRESS || trace_back(&start, 0) != SOURCE_ADDRESS)
		return 0;
	table.base = base.address;
	table.address = start.address;
	return follow_table(trace->function, &table, count_table(trace), ret_kind);
}

static int judge_sum(struct trace *trace, enum indirect_kind *ret_kind)
{
	struct trace base = *trace;

	if (!is_x86(trace))
		return judge_sum_arm64(trace, ret_kind);
	base.reg = whole_register(trace, trace->base);
	base.at = trace->base_at;
	if (trace_back(&base, 0) == SOURCE_ADDRESS)
		return follow_distances(trace->function, base.address, count_table(trace), ret_kind);
	return follow_any_table(trace, whole_register(trace, trace->base), count_table(trace), ret_kind);
}

/*
 * A table of addresses in a file that is loaded anywhere has them from the loader, and nothing stands in the file. Then the
 * stack pointer has to tell, at each hit.
 */
static int judge_table(struct trace *trace, enum indirect_kind *ret_kind)
{
	struct table table = {.address = trace->address, .entry_bytes = 8};

	*ret_kind = INDIRECT_TAIL_CALL;
	if (!is_x86(trace))
		return 0;
	if (trace->base != X86_REG_INVALID) {
		struct trace base = *trace;

		base.reg = whole_register(trace, trace->base);
		base.at = trace->base_at;
		if (trace_back(&base, 0) != SOURCE_ADDRESS)
			return 0;
		table.address += base.address;
	}
	return follow_table(trace->function, &table, count_table(trace), ret_kind);
}

static int judge(struct trace *trace, enum source source, enum indirect_kind *ret_kind)
{
	switch (source) {
	case SOURCE_VALUE:
		*ret_kind = INDIRECT_TAIL_CALL;
		return 0;
	case SOURCE_TABLE8:
		return judge_table(trace, ret_kind);
	case SOURCE_SUM:
		return judge_sum(trace, ret_kind);
	default:
		*ret_kind = INDIRECT_UNKNOWN;
		return 0;
	}
}

int indirect_find_kind(csh capstone, cs_insn *insn, struct function *function, uint64_t address,
		       enum indirect_kind *ret_kind)
{
	unsigned int n_steps = 0;
	struct trace jump = {.capstone = capstone, .insn = insn, .function = function, .at = address, .n_steps = &n_steps};
	struct trace trace = jump;
	enum source source;

	*ret_kind = INDIRECT_UNKNOWN;
	if (!decode(&trace, address))
		return 0;
	if (!is_x86(&trace)) {
		trace.reg = whole_register_arm64(insn->detail->arm64.operands[0].reg);
		return judge(&trace, trace_back(&trace, 0), ret_kind);
	}
	if (insn->detail->x86.operands[0].type == X86_OP_MEM)
		return judge(&trace, source_of_load(&trace, &insn->detail->x86.operands[0].mem), ret_kind);
	trace.reg = insn->detail->x86.operands[0].reg;
	source = trace_back(&trace, 0);
	if (source == SOURCE_UNKNOWN && ends_frame(&jump))
		source = SOURCE_VALUE;
	return judge(&trace, source, ret_kind);
}
