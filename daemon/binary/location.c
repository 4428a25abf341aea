/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "binary/location.h"

#include <dwarf.h>
#include <stdbool.h>

#define MAX_LOCATIONS 8

static bool is_literal(const Dwarf_Op *op, int64_t *ret_number)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		*ret_number = op->atom - DW_OP_lit0;
		return true;
	}
	switch (op->atom) {
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		*ret_number = (int64_t)op->number;
		return true;
	default:
		return false;
	}
}

/* "breg5 0": at the address that the register holds. Numbers of operations are those of registers.
 */
static bool is_at_register(const Dwarf_Op *op, unsigned int *ret_number)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31 && op->number == 0) {
		*ret_number = op->atom - DW_OP_breg0;
		return true;
	}
	return false;
}

static bool is_in_frame(const Dwarf_Op *op)
{
	return op->atom == DW_OP_fbreg || (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31);
}

static struct location understand(const Dwarf_Op *ops, size_t n)
{
	struct location location = {.kind = LOCATION_OTHER};

	if (n == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) {
		location.kind = LOCATION_REGISTER;
		location.number = ops[0].atom - DW_OP_reg0;
	} else if (n == 1 && ops[0].atom == DW_OP_regx) {
		location.kind = LOCATION_REGISTER;
		location.number = (unsigned int)ops[0].number;
	} else if (n == 1 && is_at_register(&ops[0], &location.number)) {
		location.kind = LOCATION_AT_REGISTER;
	} else if (n == 2 && ops[1].atom == DW_OP_stack_value &&
		   is_literal(&ops[0], &location.constant)) {
		location.kind = LOCATION_CONSTANT;
	} else if (n == 2 && ops[1].atom == DW_OP_deref && is_in_frame(&ops[0])) {
		location.kind = LOCATION_AT_POINTER;
	}
	return location;
}

struct location location_read(Dwarf_Die *parameter, uint64_t entry)
{
	struct location location = {.kind = LOCATION_NONE};
	Dwarf_Op *ops[MAX_LOCATIONS];
	size_t sizes[MAX_LOCATIONS];
	Dwarf_Attribute attribute;
	Dwarf_Sword constant;

	if (dwarf_attr(parameter, DW_AT_const_value, &attribute)) {
		location.kind = LOCATION_OTHER;
		if (dwarf_formsdata(&attribute, &constant) == 0) {
			location.kind = LOCATION_CONSTANT;
			location.constant = constant;
		}
		return location;
	}
	if (!dwarf_attr(parameter, DW_AT_location, &attribute) ||
	    dwarf_getlocation_addr(&attribute, entry, ops, sizes, MAX_LOCATIONS) <= 0)
		return location;
	return sizes[0] ? understand(ops[0], sizes[0]) : location;
}
