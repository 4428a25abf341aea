/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * libdw has functions for some of this (dwarf_peel_type, dwarf_aggregate_size), but they follow a
 * chain of types to its end, and a damaged file may have made a ring of it.
 */
#include "binary/type.h"

#include <errno.h>
#include <string.h>

#define MAX_CHAIN     32
#define MAX_MEMBERS   4096
#define MAX_VISITS    20000 /* of members, of all that a class is made of */
#define MAX_SIZE      (1ULL << 40)
#define MAX_NAME_SIZE 1024

bool type_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, ret_type);
}

static bool is_qualifier(int tag)
{
	switch (tag) {
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_immutable_type:
	case DW_TAG_packed_type:
	case DW_TAG_shared_type:
		return true;
	default:
		return false;
	}
}

/* Of a type in a section of its own (-fdebug-types-section) only a reference is left here. */
static Dwarf_Die resolve(const Dwarf_Die *type)
{
	Dwarf_Die die = *type, target;
	Dwarf_Attribute attribute;

	return dwarf_attr(&die, DW_AT_signature, &attribute) &&
			       dwarf_formref_die(&attribute, &target)
		       ? target
		       : die;
}

bool type_strip(const Dwarf_Die *type, Dwarf_Die *ret_type)
{
	Dwarf_Die die = *type, next;

	for (int i = 0; i < MAX_CHAIN; i++) {
		die = resolve(&die);
		if (dwarf_tag(&die) != DW_TAG_typedef && !is_qualifier(dwarf_tag(&die))) {
			*ret_type = die;
			return true;
		}
		if (!type_of(&die, &next))
			return false;
		die = next;
	}
	return false;
}

bool type_stripped_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
	Dwarf_Die type;

	return type_of(die, &type) && type_strip(&type, ret_type);
}

const char *type_name(const Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name;

	if (!dwarf_attr_integrate((Dwarf_Die *)die, DW_AT_name, &attribute))
		return NULL;
	name = dwarf_formstring(&attribute);
	return name && name[0] && strnlen(name, MAX_NAME_SIZE) < MAX_NAME_SIZE ? name : NULL;
}

uint64_t type_number(Dwarf_Die *die, unsigned int attribute, uint64_t otherwise)
{
	Dwarf_Attribute value;
	Dwarf_Word number;

	if (!dwarf_attr_integrate(die, attribute, &value) || dwarf_formudata(&value, &number) != 0)
		return otherwise;
	return number;
}

unsigned int type_encoding(const Dwarf_Die *type)
{
	Dwarf_Die die = *type;

	return (unsigned int)type_number(&die, DW_AT_encoding, 0);
}

uint64_t type_count(const Dwarf_Die *array)
{
	Dwarf_Die parent = *array, die;
	uint64_t count = 1, n;
	int n_dimensions = 0;

	if (dwarf_child(&parent, &die) != 0)
		return 0;
	do {
		if (dwarf_tag(&die) != DW_TAG_subrange_type)
			continue;
		n = type_number(&die, DW_AT_count, UINT64_MAX);
		if (n == UINT64_MAX) /* C leaves the lower bound out, which is 0 */
			n = type_number(&die, DW_AT_upper_bound, UINT64_MAX) -
			    type_number(&die, DW_AT_lower_bound, 0) + 1;
		if (n > MAX_SIZE || (n && count > MAX_SIZE / n))
			return 0;
		count *= n;
		n_dimensions++;
	} while (n_dimensions < MAX_CHAIN && dwarf_siblingof(&die, &die) == 0);
	return n_dimensions ? count : 0;
}

static uint64_t size_of(const Dwarf_Die *type, int depth)
{
	Dwarf_Die die, target;
	uint64_t size, count;

	if (depth == MAX_CHAIN || !type_strip(type, &die))
		return 0;
	size = type_number(&die, DW_AT_byte_size, UINT64_MAX);
	if (size != UINT64_MAX)
		return size <= MAX_SIZE ? size : 0;
	switch (dwarf_tag(&die)) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
	case DW_TAG_unspecified_type: /* decltype(nullptr) */
		return 8;
	case DW_TAG_ptr_to_member_type: /* of a function it is two words */
		return type_stripped_of(&die, &target) &&
				       dwarf_tag(&target) == DW_TAG_subroutine_type
			       ? 16
			       : 8;
	case DW_TAG_enumeration_type:
	case DW_TAG_subrange_type:
		return type_of(&die, &target) ? size_of(&target, depth + 1) : 0;
	case DW_TAG_array_type:
		size = type_of(&die, &target) ? size_of(&target, depth + 1) : 0;
		count = type_count(&die);
		return count && size <= MAX_SIZE / count ? size * count : 0;
	default:
		return 0;
	}
}

uint64_t type_size(const Dwarf_Die *type)
{
	return size_of(type, 0);
}

bool type_is_transparent(const Dwarf_Die *type)
{
	Dwarf_Die die = *type;

	return dwarf_tag(&die) == DW_TAG_union_type && !dwarf_haschildren(&die) &&
	       type_size(type) == 8;
}

static const char *keyword_of(int tag)
{
	switch (tag) {
	case DW_TAG_const_type:
		return "const";
	case DW_TAG_volatile_type:
		return "volatile";
	case DW_TAG_restrict_type:
		return "restrict";
	case DW_TAG_atomic_type:
		return "_Atomic";
	default:
		return "";
	}
}

static bool is_pointer(int tag)
{
	return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
	       tag == DW_TAG_rvalue_reference_type;
}

static bool is_cplusplus(Dwarf_Die *die)
{
	Dwarf_Die unit;

	if (!dwarf_diecu(die, &unit, NULL, NULL))
		return false;
	switch (dwarf_srclang(&unit)) {
	case DW_LANG_C89:
	case DW_LANG_C:
	case DW_LANG_C99:
	case DW_LANG_C11:
		return false;
	default:
		return true;
	}
}

static int print_named(const Dwarf_Die *reference, struct text *text)
{
	Dwarf_Die resolved = resolve(reference), *type = &resolved;
	const char *name = type_name(type), *prefix = "";

	if (type_is_string(type) != TYPE_NO_STRING)
		return text_printf(text, "std::string");
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		prefix = "struct ";
		break;
	case DW_TAG_union_type:
		prefix = "union ";
		break;
	case DW_TAG_enumeration_type:
		prefix = "enum ";
		break;
	case DW_TAG_string_type:
		return text_printf(text, "character(*)");
	default:
		break;
	}
	if (name && is_cplusplus(type))
		prefix = "";
	return text_printf(text, "%s%s", prefix, name ? name : "(unnamed)");
}

static int print(Dwarf_Die *type, struct text *text, int depth);

static int print_target(Dwarf_Die *type, struct text *text, int depth)
{
	Dwarf_Die target;

	return type_of(type, &target) ? print(&target, text, depth + 1) : text_printf(text, "void");
}

/* "int *", "int *const", "char **", "void (*)(...)" */
static int print_pointer(Dwarf_Die *type, struct text *text, int depth)
{
	int tag = dwarf_tag(type), r;
	const char *mark = tag == DW_TAG_pointer_type	  ? "*"
			   : tag == DW_TAG_reference_type ? "&"
							  : "&&";
	Dwarf_Die target;

	if (type_of(type, &target) && dwarf_tag(&target) == DW_TAG_subroutine_type) {
		r = print_target(&target, text, depth + 1);
		return r < 0 ? r : text_printf(text, " (%s)()", mark);
	}
	r = print_target(type, text, depth);
	if (r < 0)
		return r;
	return text_printf(text, "%s%s",
			   text->size && strchr("*&", text->data[text->size - 1]) ? "" : " ", mark);
}

/* Behind a pointer ("char *const"), before all else ("const char"). */
static int print_qualified(Dwarf_Die *type, struct text *text, int depth)
{
	const char *keyword = keyword_of(dwarf_tag(type));
	Dwarf_Die target;
	int r;

	if (type_of(type, &target) && is_pointer(dwarf_tag(&target))) {
		r = print(&target, text, depth + 1);
		return r < 0 ? r : text_printf(text, "%s", keyword);
	}
	r = text_printf(text, "%s%s", keyword, keyword[0] ? " " : "");
	return r < 0 ? r : print_target(type, text, depth);
}

static int print(Dwarf_Die *type, struct text *text, int depth)
{
	int tag = dwarf_tag(type), r;
	uint64_t count;

	if (depth == MAX_CHAIN || text->size > MAX_NAME_SIZE)
		return text_printf(text, "...");
	if (is_pointer(tag))
		return print_pointer(type, text, depth);
	if (is_qualifier(tag))
		return print_qualified(type, text, depth);
	if (tag == DW_TAG_subroutine_type) {
		r = print_target(type, text, depth);
		return r < 0 ? r : text_printf(text, " ()");
	}
	if (tag != DW_TAG_array_type)
		return print_named(type, text);
	r = print_target(type, text, depth);
	count = type_count(type);
	if (r == 0)
		r = count ? text_printf(text, " [%llu]", (unsigned long long)count)
			  : text_printf(text, " []");
	return r;
}

int type_print(const Dwarf_Die *type, struct text *text)
{
	Dwarf_Die die;

	if (!type)
		return text_printf(text, "void");
	die = *type;
	return print(&die, text, 0);
}

static bool has_member(Dwarf_Die *type, const char *name)
{
	const char *its_name;
	Dwarf_Die die;
	int n = 0;

	if (dwarf_child(type, &die) != 0)
		return false;
	do {
		its_name = dwarf_tag(&die) == DW_TAG_member ? type_name(&die) : NULL;
		if (its_name && strcmp(its_name, name) == 0)
			return true;
	} while (++n < MAX_MEMBERS && dwarf_siblingof(&die, &die) == 0);
	return false;
}

/* clang only declares the one of libstdc++, whose code is in that library. */
enum type_string type_is_string(const Dwarf_Die *type)
{
	static const char start[] = "basic_string<char, ";
	Dwarf_Die die = *type;
	const char *name;

	if (!type_is_class(type))
		return TYPE_NO_STRING;
	name = type_name(type);
	if (!name || (strncmp(name, start, sizeof(start) - 1) != 0 &&
		      strcmp(name, "basic_string<char>") != 0))
		return TYPE_NO_STRING;
	if (strstr(name, "std::__1::") || has_member(&die, "__r_") || has_member(&die, "__rep_"))
		return TYPE_STD_STRING_LIBCXX;
	if (has_member(&die, "_M_dataplus") && !has_member(&die, "_M_string_length"))
		return TYPE_STD_STRING_SHARED;
	return TYPE_STD_STRING;
}

/* Whether a member function takes the class itself by reference: a copy or move constructor. */
static bool copies(Dwarf_Die *function, const Dwarf_Die *class)
{
	Dwarf_Die die, type, target;
	int n = 0;

	if (dwarf_child(function, &die) != 0)
		return false;
	do {
		if (dwarf_tag(&die) != DW_TAG_formal_parameter || n++ == 0) /* `this` */
			continue;
		return type_stripped_of(&die, &type) &&
		       (dwarf_tag(&type) == DW_TAG_reference_type ||
			dwarf_tag(&type) == DW_TAG_rvalue_reference_type) &&
		       type_stripped_of(&type, &target) &&
		       dwarf_dieoffset(&target) == dwarf_dieoffset((Dwarf_Die *)class);
	} while (n < 2 && dwarf_siblingof(&die, &die) == 0);
	return false;
}

/* The name of a template's constructor is the one of the template. */
static bool is_constructor(const char *function, const char *class)
{
	size_t size = strcspn(class, "<");

	return strncmp(function, class, size) == 0 &&
	       (function[size] == '\0' || function[size] == '<');
}

/* Whether a member function is a destructor, or a constructor that copies, which its author wrote.
 */
static bool is_not_trivial_function(Dwarf_Die *function, const Dwarf_Die *class)
{
	const char *name = type_name(function), *class_name = type_name(class);

	if (!name || dwarf_hasattr(function, DW_AT_artificial) ||
	    type_number(function, DW_AT_defaulted, 0) == DW_DEFAULTED_in_class ||
	    dwarf_hasattr(function, DW_AT_deleted))
		return false;
	if (name[0] == '~')
		return true;
	return class_name && is_constructor(name, class_name) && copies(function, class);
}

static int is_by_address(const Dwarf_Die *type, int depth, int *n_visits);

/* Of a base class, a member, or what an array has as elements. */
static int is_part_by_address(Dwarf_Die *part, int depth, int *n_visits)
{
	Dwarf_Die type, element;

	for (int i = 0; i < MAX_CHAIN && type_stripped_of(part, &type); i++) {
		if (dwarf_tag(&type) != DW_TAG_array_type)
			return type_is_class(&type) ? is_by_address(&type, depth + 1, n_visits) : 0;
		element = type;
		part = &element;
	}
	return 0;
}

static bool is_static(Dwarf_Die *member)
{
	return dwarf_hasattr(member, DW_AT_external) || dwarf_hasattr(member, DW_AT_declaration);
}

static int is_member_by_address(Dwarf_Die *member, const Dwarf_Die *class, int depth, int *n_visits)
{
	const char *name;

	switch (dwarf_tag(member)) {
	case DW_TAG_inheritance:
		if (type_number(member, DW_AT_virtuality, 0) == DW_VIRTUALITY_virtual)
			return 1;
		return is_part_by_address(member, depth, n_visits);
	case DW_TAG_member:
		name = type_name(member);
		if (name && strncmp(name, "_vptr", 5) == 0)
			return 1;
		return is_static(member) ? 0 : is_part_by_address(member, depth, n_visits);
	case DW_TAG_subprogram:
		return is_not_trivial_function(member, class);
	default:
		return 0;
	}
}

/* clang says it; of gcc's types it has to be found out. */
static int is_by_address(const Dwarf_Die *type, int depth, int *n_visits)
{
	Dwarf_Die class = *type, member;
	uint64_t convention = type_number(&class, DW_AT_calling_convention, 0);
	int r;

	if (convention == DW_CC_pass_by_reference || convention == DW_CC_pass_by_value)
		return convention == DW_CC_pass_by_reference;
	if (type_is_string(type) != TYPE_NO_STRING)
		return 1;
	if (dwarf_hasattr(&class, DW_AT_declaration))
		return -ENODATA;
	if (depth == MAX_CHAIN || dwarf_child(&class, &member) != 0)
		return 0;
	do {
		r = is_member_by_address(&member, type, depth, n_visits);
	} while (r == 0 && ++*n_visits < MAX_VISITS && dwarf_siblingof(&member, &member) == 0);
	return r;
}

int type_is_passed_by_address(const Dwarf_Die *type)
{
	int n_visits = 0;

	return is_by_address(type, 0, &n_visits);
}
