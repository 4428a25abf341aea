/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/type.h - types as DWARF has them: how large, what they are called, what they are made of;
 * for the rest of binary/
 *
 * Types come from outside: chains of them may be endless, sizes and counts absurd.
 */
#ifndef PERFFLOW_BINARY_TYPE_H
#define PERFFLOW_BINARY_TYPE_H

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/text.h"

/* The type of a parameter, a function (what it returns), a pointer (what it points to). False:
 * void. */
bool type_of(Dwarf_Die *die, Dwarf_Die *ret_type);

/* What is behind typedefs and qualifiers. False: void, or it makes no sense. */
bool type_strip(const Dwarf_Die *type, Dwarf_Die *ret_type);
/* Both in one. */
bool type_stripped_of(Dwarf_Die *die, Dwarf_Die *ret_type);

/* An unsigned attribute, or the default. */
uint64_t type_number(Dwarf_Die *die, unsigned int attribute, uint64_t otherwise);

/* 0: it is not known. */
uint64_t type_size(const Dwarf_Die *type);
/* How many elements an array has, in all its dimensions; 0: not known. */
uint64_t type_count(const Dwarf_Die *array);

/* Of a base type: DW_ATE_*, or 0. */
unsigned int type_encoding(const Dwarf_Die *type);

static inline bool type_is_class(const Dwarf_Die *type)
{
	int tag = dwarf_tag((Dwarf_Die *)type);

	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

/* A transparent union of pointers (connect() takes one), whose members gcc leaves out: one of them
 * is passed. */
bool type_is_transparent(const Dwarf_Die *type);

/* Appends what it is called in C or C++, without namespaces: "const char *"; NULL is "void". */
int type_print(const Dwarf_Die *type, struct text *text);

enum type_string {
	TYPE_NO_STRING,
	TYPE_STD_STRING,	/* of libstdc++ */
	TYPE_STD_STRING_SHARED, /* of libstdc++ before 2015: a pointer to the characters */
	TYPE_STD_STRING_LIBCXX,
};
/* Whether a stripped type is a std::string of chars, and whose. */
enum type_string type_is_string(const Dwarf_Die *type);

/*
 * Whether C++ passes a class by the address of a copy, since to copy or to destroy it is not
 * trivial. -ENODATA: it is only declared.
 */
int type_is_passed_by_address(const Dwarf_Die *type);

/* The name of a DIE or of what it completes, or NULL. */
const char *type_name(const Dwarf_Die *die);

#endif
