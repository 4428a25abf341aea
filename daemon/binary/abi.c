/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A type is laid out as its scalars with their offsets first; both ABIs decide by these. x86-64
 * gives each eight bytes a class, and an argument goes into registers as a whole or not at all.
 * AAPCS64 looks whether an aggregate is up to four floats of one kind, and what did not find enough
 * registers closes those that are left to all that follow.
 *
 * Vectors of 32 and 64 bytes are taken to be passed in registers, as they are where AVX is on.
 */
#include "binary/abi.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "binary/type.h"
#include "util/cleanup.h"

#define MAX_SCALARS   256
#define MAX_NESTED    32
#define MAX_VISITS    4096
#define MAX_BYTES     64 /* no longer type is ever in registers */
#define MAX_PARTS     (MAX_BYTES / 8)
#define MAX_ALIGNMENT 4096

#define X86_RAX		    0
#define X86_RSP		    7
#define X86_VECTOR	    17
#define X86_RETURN_BYTES    8 /* the return address, on the stack */
#define ARM64_SP	    31
#define ARM64_VECTOR	    64
#define MAX_VECTOR	    8
#define ARM64_MAX_GENERAL   8
#define ARM64_MAX_VECTOR_OF 4

static const uint8_t x86_general[] = {5, 4, 1, 2, 8, 9}; /* rdi rsi rdx rcx r8 r9 */

enum scalar_kind { SCALAR_INTEGER, SCALAR_FLOAT, SCALAR_VECTOR, SCALAR_X87, SCALAR_COMPLEX_X87 };

struct scalar {
	uint64_t offset, size;
	enum scalar_kind kind;
};

struct layout {
	struct scalar scalars[MAX_SCALARS];
	size_t n_scalars;
	uint64_t size, alignment;
	unsigned int n_visits; /* of members */
	uint16_t machine;
	bool is_unaligned; /* a scalar in it is not where its alignment wants it */
};

/* How a type is passed. */
struct passing {
	unsigned int n_general, n_vector;
	uint64_t size, alignment; /* on the stack */
	bool on_stack;		  /* always */
	bool is_address;
	bool is_x87; /* returned in an x87 register */
};

static int add_scalar(struct layout *layout, enum scalar_kind kind, uint64_t offset, uint64_t size,
		      uint64_t alignment)
{
	if (layout->n_scalars == MAX_SCALARS)
		return -E2BIG;
	layout->scalars[layout->n_scalars++] =
		(struct scalar){.offset = offset, .size = size, .kind = kind};
	if (offset % alignment != 0)
		layout->is_unaligned = true;
	if (alignment > layout->alignment)
		layout->alignment = alignment;
	return 0;
}

/* The kinds of 16 bytes differ by their name alone: on x86-64 long double is x87's, and
 * real(kind=10). */
static bool is_x87(const struct layout *layout, const Dwarf_Die *type, uint64_t size)
{
	const char *name = type_name(type);

	if (layout->machine != EM_X86_64 || size < 10 || !name)
		return false;
	return strstr(name, "long double") || strstr(name, "kind=10") ||
	       strcmp(name, "_Float64x") == 0 || strcmp(name, "real") == 0;
}

static int add_float(struct layout *layout, const Dwarf_Die *type, uint64_t offset, uint64_t size)
{
	if (is_x87(layout, type, size))
		return add_scalar(layout, SCALAR_X87, offset, 16, 16);
	if (size != 2 && size != 4 && size != 8 && size != 16)
		return -ENODATA;
	return add_scalar(layout, SCALAR_FLOAT, offset, size, size);
}

static int add_complex(struct layout *layout, const Dwarf_Die *type, uint64_t offset, uint64_t size)
{
	const char *name = type_name(type);
	int r;

	/* clang calls all of them "complex" */
	if (is_x87(layout, type, size / 2) ||
	    (layout->machine == EM_X86_64 && size == 32 && name && strcmp(name, "complex") == 0))
		return add_scalar(layout, SCALAR_COMPLEX_X87, offset, 32, 16);
	r = add_float(layout, type, offset, size / 2);
	return r < 0 ? r : add_float(layout, type, offset + size / 2, size / 2);
}

static int add_integer(struct layout *layout, uint64_t offset, uint64_t size)
{
	int r;

	if (size == 16) { /* __int128 */
		r = add_scalar(layout, SCALAR_INTEGER, offset, 8, 16);
		return r < 0 ? r : add_scalar(layout, SCALAR_INTEGER, offset + 8, 8, 8);
	}
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return -ENODATA;
	return add_scalar(layout, SCALAR_INTEGER, offset, size, size);
}

static int add_base(struct layout *layout, const Dwarf_Die *type, uint64_t offset, uint64_t size)
{
	switch (type_encoding(type)) {
	case DW_ATE_float:
	case DW_ATE_decimal_float:
	case DW_ATE_imaginary_float:
		return add_float(layout, type, offset, size);
	case DW_ATE_complex_float:
		return add_complex(layout, type, offset, size);
	default:
		return add_integer(layout, offset, size);
	}
}

static int add_type(struct layout *layout, const Dwarf_Die *type, uint64_t offset, int depth);

static int add_array(struct layout *layout, Dwarf_Die *array, uint64_t offset, int depth)
{
	uint64_t size = type_size(array), count = type_count(array), element_size;
	Dwarf_Die element;
	int r = 0;

	if (dwarf_hasattr(array, DW_AT_GNU_vector))
		return size >= 4 ? add_scalar(layout, SCALAR_VECTOR, offset, size, size) : -ENODATA;
	if (count == 0) /* the last member of a struct */
		return 0;
	if (!type_stripped_of(array, &element))
		return -ENODATA;
	element_size = type_size(&element);
	if (element_size == 0)
		return 0;
	for (uint64_t i = 0; r == 0 && i < count; i++)
		r = add_type(layout, &element, offset + i * element_size, depth + 1);
	return r;
}

/* Bytes into the class, of a member or a base class. */
static uint64_t member_offset(Dwarf_Die *member)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Op *ops;
	size_t n;

	if (!dwarf_attr(member, DW_AT_data_member_location, &attribute))
		return 0;
	if (dwarf_formudata(&attribute, &number) == 0)
		return number;
	if (dwarf_getlocation(&attribute, &ops, &n) == 0 && n == 1 &&
	    ops[0].atom == DW_OP_plus_uconst)
		return ops[0].number;
	return 0;
}

/* Where in the class the first byte of a bit-field is. */
static int add_bits(struct layout *layout, Dwarf_Die *member, uint64_t offset, uint64_t n_bits)
{
	uint64_t first = type_number(member, DW_AT_data_bit_offset, UINT64_MAX), last;
	int r = 0;

	if (first == UINT64_MAX) /* before DWARF 5: the unit that it is stored in is known */
		first = member_offset(member) * 8;
	if (n_bits == 0 || n_bits > 128 || first > MAX_BYTES * 8)
		return n_bits == 0 ? 0 : -E2BIG;
	last = first + n_bits - 1;
	for (uint64_t byte = first / 8; r == 0 && byte <= last / 8; byte++)
		r = add_scalar(layout, SCALAR_INTEGER, offset + byte, 1, 1);
	return r;
}

/* What alignas() asks for, of a class or a member. */
static void align(struct layout *layout, Dwarf_Die *die)
{
	uint64_t alignment = type_number(die, DW_AT_alignment, 1);

	if (alignment > layout->alignment && alignment <= MAX_ALIGNMENT)
		layout->alignment = alignment;
}

static int add_member(struct layout *layout, Dwarf_Die *member, uint64_t offset, int depth)
{
	int tag = dwarf_tag(member);
	uint64_t n_bits;
	Dwarf_Die type;

	if (tag == DW_TAG_variant_part)
		return -ENODATA;
	if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
	    dwarf_hasattr(member, DW_AT_external) || dwarf_hasattr(member, DW_AT_declaration))
		return 0;
	align(layout, member);
	n_bits = type_number(member, DW_AT_bit_size, UINT64_MAX);
	if (n_bits != UINT64_MAX)
		return add_bits(layout, member, offset, n_bits);
	if (!type_stripped_of(member, &type))
		return -ENODATA;
	return add_type(layout, &type, offset + member_offset(member), depth + 1);
}

static int add_class(struct layout *layout, Dwarf_Die *class, uint64_t offset, int depth)
{
	Dwarf_Die member;
	int r = 0;

	if (dwarf_hasattr(class, DW_AT_declaration) || !dwarf_hasattr(class, DW_AT_byte_size))
		return -ENODATA;
	if (layout->machine == EM_X86_64) /* AAPCS64 goes by the members alone */
		align(layout, class);
	if (type_is_transparent(class))
		return add_integer(layout, offset, 8);
	if (dwarf_child(class, &member) != 0)
		return 0;
	do {
		r = add_member(layout, &member, offset, depth);
	} while (r == 0 && dwarf_siblingof(&member, &member) == 0);
	return r;
}

/* A stripped type. -E2BIG: it is in no register, whatever it is made of. */
static int add_type(struct layout *layout, const Dwarf_Die *type, uint64_t offset, int depth)
{
	uint64_t size = type_size(type);
	Dwarf_Die die = *type;

	if (depth == MAX_NESTED || offset > MAX_BYTES || layout->n_visits++ > MAX_VISITS)
		return -E2BIG;
	switch (dwarf_tag(&die)) {
	case DW_TAG_base_type:
		return add_base(layout, type, offset, size);
	case DW_TAG_array_type:
		return add_array(layout, &die, offset, depth);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return add_class(layout, &die, offset, depth);
	case DW_TAG_ptr_to_member_type:
		if (size == 16) {
			add_integer(layout, offset, 8);
			return add_integer(layout, offset + 8, 8);
		}
		return add_integer(layout, offset, size);
	default: /* pointers, references, enumerations, subranges */
		return add_integer(layout, offset, size);
	}
}

static int lay_out(uint16_t machine, const Dwarf_Die *type, struct layout *layout)
{
	int r;

	layout->n_scalars = 0;
	layout->n_visits = 0;
	layout->alignment = 1;
	layout->is_unaligned = false;
	layout->machine = machine;
	layout->size = type_size(type);
	r = add_type(layout, type, 0, 0);
	if (r == -E2BIG && layout->size > 16) /* what was found tells the alignment well enough */
		return 0;
	return r == -E2BIG ? -ENODATA : r;
}

enum part { PART_NONE, PART_INTEGER, PART_SSE, PART_SSE_UP, PART_X87, PART_X87_UP, PART_MEMORY };

static enum part merge(enum part a, enum part b)
{
	if (a == b || b == PART_NONE)
		return a;
	if (a == PART_NONE)
		return b;
	if (a == PART_MEMORY || b == PART_MEMORY)
		return PART_MEMORY;
	if (a == PART_INTEGER || b == PART_INTEGER)
		return PART_INTEGER;
	if (a == PART_X87 || a == PART_X87_UP || b == PART_X87 || b == PART_X87_UP)
		return PART_MEMORY;
	return PART_SSE;
}

static enum part part_of(const struct scalar *scalar, uint64_t number)
{
	switch (scalar->kind) {
	case SCALAR_INTEGER:
		return PART_INTEGER;
	case SCALAR_FLOAT:
	case SCALAR_VECTOR:
		return number == 0 ? PART_SSE : PART_SSE_UP;
	case SCALAR_X87:
		return number == 0 ? PART_X87 : PART_X87_UP;
	default:
		return PART_MEMORY;
	}
}

/* The class of each eight bytes. */
static void classify_parts(const struct layout *layout, enum part parts[MAX_PARTS])
{
	for (size_t i = 0; i < layout->n_scalars; i++) {
		const struct scalar *scalar = &layout->scalars[i];
		uint64_t first = scalar->offset / 8;

		for (uint64_t n = 0; n * 8 < scalar->size && first + n < MAX_PARTS; n++)
			parts[first + n] = merge(parts[first + n], part_of(scalar, n));
	}
}

/* More than 16 bytes are in registers only as one vector. */
static bool is_in_memory(const struct layout *layout, const enum part parts[MAX_PARTS])
{
	uint64_t n = (layout->size + 7) / 8;

	if (layout->is_unaligned || n > MAX_PARTS)
		return true;
	for (uint64_t i = 0; i < n; i++) {
		if (parts[i] == PART_MEMORY ||
		    (parts[i] == PART_X87_UP && (i == 0 || parts[i - 1] != PART_X87)))
			return true;
		if (n > 2 && parts[i] != (i == 0 ? PART_SSE : PART_SSE_UP))
			return true;
	}
	return false;
}

static void pass_x86(const struct layout *layout, struct passing *passing)
{
	enum part parts[MAX_PARTS] = {};
	bool is_after_vector = false;

	if (layout->n_scalars == 0 && layout->size <= 16)
		return; /* empty */
	if (layout->n_scalars == 1 && layout->scalars[0].kind == SCALAR_COMPLEX_X87) {
		passing->is_x87 = true;
		return;
	}
	classify_parts(layout, parts);
	passing->on_stack = is_in_memory(layout, parts);
	for (size_t i = 0; i < MAX_PARTS && !passing->on_stack; i++) {
		passing->is_x87 |= parts[i] == PART_X87;
		passing->n_general += parts[i] == PART_INTEGER;
		passing->n_vector +=
			parts[i] == PART_SSE || (parts[i] == PART_SSE_UP && !is_after_vector);
		is_after_vector = parts[i] == PART_SSE || parts[i] == PART_SSE_UP;
	}
}

/* Up to four floats or short vectors of one kind, and nothing else: how many, or 0. */
static unsigned int count_homogeneous(const struct layout *layout)
{
	const struct scalar *first = &layout->scalars[0];

	if (layout->n_scalars == 0 || first->kind == SCALAR_INTEGER || first->size > 16 ||
	    layout->size % first->size != 0 || layout->size / first->size > ARM64_MAX_VECTOR_OF)
		return 0;
	for (size_t i = 1; i < layout->n_scalars; i++) {
		if (layout->scalars[i].kind != first->kind ||
		    layout->scalars[i].size != first->size)
			return 0;
	}
	return (unsigned int)(layout->size / first->size);
}

static void pass_arm64(const struct layout *layout, struct passing *passing)
{
	if (layout->size == 0)
		return;
	passing->n_vector = count_homogeneous(layout);
	if (passing->n_vector)
		return;
	passing->is_address = layout->size > 16;
	passing->n_general = passing->is_address ? 1 : (unsigned int)((layout->size + 7) / 8);
}

/* 1: by its address. */
static int goes_by_address(const Dwarf_Die *type, enum abi_passing how)
{
	if (how != ABI_BY_TYPE)
		return how == ABI_BY_ADDRESS;
	return type_is_class(type) ? type_is_passed_by_address(type) : 0;
}

static int pass(uint16_t machine, const Dwarf_Die *type, enum abi_passing how,
		struct passing *ret_passing)
{
	struct passing passing = {.size = 8, .alignment = 8};
	struct layout layout;
	Dwarf_Die stripped;
	int r;

	if (!type_strip(type, &stripped))
		return -ENODATA;
	r = goes_by_address(&stripped, how);
	if (r < 0)
		return r;
	if (r == 1) {
		passing.is_address = true;
		passing.n_general = 1;
	} else {
		r = lay_out(machine, &stripped, &layout);
		if (r < 0)
			return r;
		passing.size = layout.size;
		passing.alignment = layout.alignment;
		if (machine == EM_X86_64)
			pass_x86(&layout, &passing);
		else
			pass_arm64(&layout, &passing);
	}
	*ret_passing = passing;
	return 0;
}

static uint64_t round_up(uint64_t number, uint64_t to)
{
	return (number + to - 1) / to * to;
}

static struct abi_place take_stack(struct abi_call *call, const struct passing *passing)
{
	bool is_x86 = call->machine == EM_X86_64;
	uint64_t alignment = passing->alignment > 8 ? passing->alignment : 8;
	struct abi_place place = {.place = PF_PLACE_MEMORY, .is_address = passing->is_address};

	if (!is_x86 && alignment > 16)
		alignment = 16;
	call->stack = round_up(call->stack, passing->is_address ? 8 : alignment);
	place.number = is_x86 ? X86_RSP : ARM64_SP;
	place.offset = (int64_t)call->stack + (is_x86 ? X86_RETURN_BYTES : 0);
	call->stack += round_up(passing->is_address ? 8 : passing->size, 8);
	return place;
}

static struct abi_place take_registers(struct abi_call *call, const struct passing *passing)
{
	bool is_x86 = call->machine == EM_X86_64;
	struct abi_place place = {.is_address = passing->is_address};

	if (passing->n_general) {
		place.place = PF_PLACE_REGISTER;
		place.number = is_x86 ? x86_general[call->n_general] : (uint8_t)call->n_general;
	} else {
		place.place = PF_PLACE_UNREADABLE;
		place.number = (uint8_t)((is_x86 ? X86_VECTOR : ARM64_VECTOR) + call->n_vector);
	}
	call->n_general += passing->n_general;
	call->n_vector += passing->n_vector;
	return place;
}

static struct abi_place take(struct abi_call *call, const struct passing *passing)
{
	bool is_x86 = call->machine == EM_X86_64;
	unsigned int max_general = is_x86 ? ARRAY_SIZE(x86_general) : ARM64_MAX_GENERAL;

	if (!is_x86 && !passing->is_address && passing->n_general == 2 && passing->alignment >= 16)
		call->n_general = (unsigned int)round_up(call->n_general, 2);
	if (!passing->on_stack && !passing->is_x87 &&
	    call->n_general + passing->n_general <= max_general &&
	    call->n_vector + passing->n_vector <= MAX_VECTOR)
		return take_registers(call, passing);
	if (!is_x86 && passing->n_general)
		call->n_general = max_general;
	if (!is_x86 && passing->n_vector)
		call->n_vector = MAX_VECTOR;
	return take_stack(call, passing);
}

int abi_next(struct abi_call *call, const Dwarf_Die *type, enum abi_passing passing,
	     struct abi_place *ret_place)
{
	struct passing how;
	int r;

	r = pass(call->machine, type, passing, &how);
	if (r < 0)
		return r;
	if (how.n_general + how.n_vector == 0 && !how.on_stack && !how.is_x87)
		*ret_place = (struct abi_place){.place = PF_PLACE_UNREADABLE, .is_nowhere = true};
	else
		*ret_place = take(call, &how);
	return 0;
}

struct abi_place abi_next_word(struct abi_call *call)
{
	return take(call, &(struct passing){.n_general = 1, .size = 8, .alignment = 8});
}

struct abi_place abi_next_float(struct abi_call *call)
{
	return take(call, &(struct passing){.n_vector = 1, .size = 8, .alignment = 8});
}

bool abi_resume(struct abi_call *call, unsigned int number)
{
	if (call->machine != EM_X86_64) {
		if (number < ARM64_MAX_GENERAL)
			call->n_general = number + 1;
		return number < ARM64_MAX_GENERAL;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(x86_general); i++) {
		if (x86_general[i] == number) {
			call->n_general = i + 1;
			return true;
		}
	}
	return false;
}

/* AArch64 has a register of its own (x8) for the address of what is to be returned. */
int abi_begin(struct abi_call *call, uint16_t machine, const Dwarf_Die *returned)
{
	struct passing passing;
	int r;

	*call = (struct abi_call){.machine = machine};
	if (!returned || machine != EM_X86_64)
		return 0;
	r = pass(machine, returned, ABI_BY_TYPE, &passing);
	if (r < 0)
		return r;
	if (passing.is_address || (passing.on_stack && passing.size != 0))
		call->n_general = 1;
	return 0;
}

int abi_returned(uint16_t machine, const Dwarf_Die *type, struct abi_place *ret_place)
{
	bool is_x86 = machine == EM_X86_64;
	struct passing passing;
	int r;

	r = pass(machine, type, ABI_BY_TYPE, &passing);
	if (r < 0)
		return r;
	*ret_place = (struct abi_place){.place = PF_PLACE_REGISTER, .number = X86_RAX};
	if (passing.is_address || passing.on_stack) {
		ret_place->is_address = true;
		return is_x86 ? 0 : -ENOENT; /* x8 need not be kept */
	}
	if (passing.n_general == 0)
		*ret_place = (struct abi_place){
			.place = PF_PLACE_UNREADABLE,
			.number = is_x86 ? X86_VECTOR : ARM64_VECTOR,
			.is_nowhere = passing.n_vector == 0 && !passing.is_x87,
		};
	return 0;
}
