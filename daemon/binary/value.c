/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "binary/value.h"

#include <dwarf.h>
#include <string.h>

#include "binary/type.h"

#define MAX_ENUMERATORS 65536

static struct argument_value describe_base(const Dwarf_Die *type, unsigned int size)
{
	const char *name = type_name(type);
	struct argument_value value = {.size = size};

	switch (type_encoding(type)) {
	case DW_ATE_signed:
		value.format = ARGUMENT_SIGNED;
		break;
	case DW_ATE_boolean:
		value.format = ARGUMENT_BOOL;
		break;
	case DW_ATE_signed_char: /* char is one of these two, signed char and uint8_t are numbers */
	case DW_ATE_unsigned_char:
		value.format =
			name && (strcmp(name, "char") == 0 || strncmp(name, "character", 9) == 0)
				? ARGUMENT_CHAR
			: type_encoding(type) == DW_ATE_signed_char ? ARGUMENT_SIGNED
								    : ARGUMENT_UNSIGNED;
		break;
	case DW_ATE_UTF:
		value.format = ARGUMENT_CHAR;
		break;
	case DW_ATE_float:
		value.format = size == 4 || size == 8 ? ARGUMENT_FLOAT : ARGUMENT_NO_FORMAT;
		break;
	case DW_ATE_unsigned:
	case DW_ATE_address:
		value.format = ARGUMENT_UNSIGNED;
		break;
	default: /* complex, decimal, fixed */
		break;
	}
	return value;
}

/* C does not say what type it has, but gives values. */
static bool has_negative(const Dwarf_Die *enumeration)
{
	Dwarf_Die type = *enumeration, die;
	Dwarf_Attribute attribute;
	Dwarf_Sword value;
	int n = 0;

	if (dwarf_child(&type, &die) != 0)
		return false;
	do {
		if (dwarf_attr(&die, DW_AT_const_value, &attribute) &&
		    dwarf_whatform(&attribute) == DW_FORM_sdata &&
		    dwarf_formsdata(&attribute, &value) == 0 && value < 0)
			return true;
	} while (++n < MAX_ENUMERATORS && dwarf_siblingof(&die, &die) == 0);
	return false;
}

static struct argument_value describe_enumeration(const Dwarf_Die *type, unsigned int size)
{
	struct argument_value value = {.format = ARGUMENT_UNSIGNED, .size = size};
	Dwarf_Die die = *type, base;
	unsigned int encoding = 0;

	if (type_stripped_of(&die, &base))
		encoding = type_encoding(&base);
	if (encoding == DW_ATE_signed || encoding == DW_ATE_signed_char ||
	    (encoding == 0 && has_negative(type)))
		value.format = ARGUMENT_SIGNED;
	return value;
}

struct argument_value value_of_scalar(const Dwarf_Die *type)
{
	uint64_t size = type_size(type);
	struct argument_value none = {};

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return none;
	switch (dwarf_tag((Dwarf_Die *)type)) {
	case DW_TAG_base_type:
		return describe_base(type, (unsigned int)size);
	case DW_TAG_enumeration_type:
		return describe_enumeration(type, (unsigned int)size);
	case DW_TAG_subrange_type:
	case DW_TAG_ptr_to_member_type:
		return (struct argument_value){.format = ARGUMENT_UNSIGNED,
					       .size = (unsigned int)size};
	case DW_TAG_union_type:
		return type_is_transparent(type) ? VALUE_ADDRESS : none;
	case DW_TAG_string_type: /* one character */
		return (struct argument_value){.format = ARGUMENT_CHAR, .size = (unsigned int)size};
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type:
		return (struct argument_value){.format = ARGUMENT_POINTER, .size = 8};
	default:
		return none;
	}
}

/* Where the class is only declared, as clang has it, names of functions tell which one is meant. */
static bool is_shared_string(const Dwarf_Die *type, const char *linker_name)
{
	return dwarf_hasattr((Dwarf_Die *)type, DW_AT_declaration) &&
	       strncmp(linker_name, "_Z", 2) == 0 && !strstr(linker_name, "cxx11");
}

/* What the address of something of this type means. */
struct argument_value value_of_address(const Dwarf_Die *type, const char *linker_name)
{
	struct argument_value value = VALUE_ADDRESS;

	if (dwarf_tag((Dwarf_Die *)type) == DW_TAG_string_type)
		value.format = ARGUMENT_TEXT;
	switch (type_is_string(type)) {
	case TYPE_STD_STRING:
		value.format = is_shared_string(type, linker_name) ? ARGUMENT_STD_STRING_SHARED
								   : ARGUMENT_STD_STRING;
		break;
	case TYPE_STD_STRING_SHARED:
		value.format = ARGUMENT_STD_STRING_SHARED;
		break;
	case TYPE_STD_STRING_LIBCXX:
		value.format = ARGUMENT_STD_STRING_LIBCXX;
		break;
	case TYPE_NO_STRING:
		break;
	}
	return value;
}
