/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A unit says which addresses it covers, so the tree of a unit is gone through only when somebody
 * asks for an address in it, and then once: of each function its addresses and the place of its DIE
 * are kept. .debug_aranges, which dwarf_addrdie() needs, is left out by clang. Units that tell no
 * address are gone through when an address is in no other.
 *
 * The file is read, not mapped, and what others than the binary contribute is opened here and not
 * by libdw, which would open any path that the binary names: split units (.dwo) are not read, and
 * of what dwz has moved to a common file only the one that fits (see debugfile.h).
 */
#include "binary/subprogram.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "binary/debugfile.h"
#include "util/hash.h"

#define MAX_FILE_BYTES (4ULL << 30)
#define MAX_RANGES     (16U << 20)
#define MAX_ENTRIES    (16U << 20)
#define MAX_DEPTH      64
#define MAX_OVERLAPS   4096 /* ranges that are looked at for an address */

struct unit {
	Dwarf_Off offset; /* of its DIE */
	bool has_ranges;
	bool is_taken; /* its functions are in entries */
};

struct range {
	uint64_t low, high;
	uint64_t highest; /* of this one and those before it */
	size_t unit;
};

struct entry { /* a function, once for each of its pieces */
	Dwarf_Off offset;
	size_t next; /* with the same address, counted from 1; 0: none */
};

struct subprograms {
	struct debug_file file;	  /* fd is -1 where the binary has all itself */
	struct debug_file common; /* what dwz moved out of it */
	Elf *elf;		  /* our own: it gives the memory back that sections take */
	Dwarf *dwarf, *common_dwarf;
	struct unit *units;
	size_t n_units;
	struct range *ranges; /* by low */
	size_t n_ranges;
	struct entry *entries;
	size_t n_entries;
	struct hash by_address; /* to the number in entries, counted from 1 */
};

void subprograms_close(struct subprograms *subprograms)
{
	if (!subprograms)
		return;

	hash_done(&subprograms->by_address);
	free(subprograms->entries);
	free(subprograms->ranges);
	free(subprograms->units);
	dwarf_end(subprograms->dwarf);
	dwarf_end(subprograms->common_dwarf);
	elf_end(subprograms->elf);
	debug_file_close(&subprograms->common);
	debug_file_close(&subprograms->file);
	free(subprograms);
}

static int add_entry(struct subprograms *subprograms, uint64_t address, Dwarf_Off offset)
{
	size_t known = (size_t)hash_find(&subprograms->by_address, address);
	int r;

	if (subprograms->n_entries == MAX_ENTRIES)
		return -EFBIG;
	r = array_grow(&subprograms->entries, subprograms->n_entries, sizeof(struct entry));
	if (r < 0)
		return r;
	subprograms->entries[subprograms->n_entries++] =
		(struct entry){.offset = offset, .next = known};
	return hash_put(&subprograms->by_address, address, (void *)subprograms->n_entries);
}

/* What the linker has thrown away begins at 0, or at the end of all addresses. */
static bool is_there(uint64_t address)
{
	return address != 0 && address < UINT64_MAX - 1;
}

/* The first range is where it is entered; others are its .cold part, which nobody asks for. */
static int take_function(struct subprograms *subprograms, Dwarf_Die *function)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	int r = 0;

	if (dwarf_hasattr(function, DW_AT_declaration))
		return 0;
	while (r == 0 && (at = dwarf_ranges(function, at, &base, &low, &high)) > 0) {
		if (is_there(low))
			r = add_entry(subprograms, low, dwarf_dieoffset(function));
	}
	return r;
}

/* Where functions may be found: those of local classes, and those inside of others, too. */
static bool is_scope(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_lexical_block:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_common_block:
		return true;
	default:
		return false;
	}
}

/* What is damaged is passed over. */
static int take_children(struct subprograms *subprograms, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	int r = 0, tag;

	if (depth == MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram)
			r = take_function(subprograms, &die);
		if (r == 0 && is_scope(tag))
			r = take_children(subprograms, &die, depth + 1);
	} while (r == 0 && dwarf_siblingof(&die, &die) == 0);
	return r;
}

static int take_unit(struct subprograms *subprograms, struct unit *unit)
{
	Dwarf_Die die;

	if (unit->is_taken)
		return 0;
	unit->is_taken = true;
	if (!dwarf_offdie(subprograms->dwarf, unit->offset, &die))
		return 0;
	return take_children(subprograms, &die, 0);
}

static int add_ranges(struct subprograms *subprograms, struct unit *unit)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	Dwarf_Die die;
	int r;

	if (!dwarf_offdie(subprograms->dwarf, unit->offset, &die))
		return 0;
	while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0) {
		unit->has_ranges = true;
		if (!is_there(low) || high <= low)
			continue;
		if (subprograms->n_ranges == MAX_RANGES)
			return -EFBIG;
		r = array_grow(&subprograms->ranges, subprograms->n_ranges, sizeof(struct range));
		if (r < 0)
			return r;
		subprograms->ranges[subprograms->n_ranges++] =
			(struct range){.low = low, .high = high, .unit = unit - subprograms->units};
	}
	return 0;
}

static int add_units(struct subprograms *subprograms)
{
	Dwarf_Off offset = 0, next;
	size_t header_size;
	int r = 0;

	while (r == 0 && dwarf_nextcu(subprograms->dwarf, offset, &next, &header_size, NULL, NULL,
				      NULL) == 0) {
		if (next <= offset)
			break;
		r = array_grow(&subprograms->units, subprograms->n_units, sizeof(struct unit));
		if (r < 0)
			break;
		subprograms->units[subprograms->n_units++] =
			(struct unit){.offset = offset + header_size};
		r = add_ranges(subprograms, &subprograms->units[subprograms->n_units - 1]);
		offset = next;
	}
	return r;
}

static int by_low(const void *a, const void *b)
{
	const struct range *left = a, *right = b;

	return left->low < right->low ? -1 : left->low > right->low;
}

static void sort_ranges(struct subprograms *subprograms)
{
	uint64_t highest = 0;

	if (subprograms->n_ranges)
		qsort(subprograms->ranges, subprograms->n_ranges, sizeof(struct range), by_low);
	for (size_t i = 0; i < subprograms->n_ranges; i++) {
		if (subprograms->ranges[i].high > highest)
			highest = subprograms->ranges[i].high;
		subprograms->ranges[i].highest = highest;
	}
}

/* Debug information that dwz went over refers to a file that several share. */
static int open_common(struct subprograms *subprograms, const struct binary *binary,
		       struct why *why)
{
	const char *name;
	const void *id;
	ssize_t id_bytes;
	int r;

	id_bytes = dwelf_dwarf_gnu_debugaltlink(subprograms->dwarf, &name, &id);
	if (id_bytes <= 0)
		return 0;
	r = debug_file_open_common(binary, &subprograms->file, name, id, id_bytes,
				   &subprograms->common);
	if (r == 0)
		subprograms->common_dwarf =
			dwarf_begin_elf(subprograms->common.elf, DWARF_C_READ, NULL);
	if (!subprograms->common_dwarf)
		return why_say(why, -ENODATA,
			       "the debug information of '%s' needs '%s', which is not there",
			       binary->path, name);
	dwarf_setalt(subprograms->dwarf, subprograms->common_dwarf);
	return 0;
}

/* -ENODATA without a sentence: there are no units in it. */
static int open_descriptor(struct subprograms *subprograms, const struct binary *binary, int fd,
			   struct why *why)
{
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size > (off_t)MAX_FILE_BYTES)
		return why_say(why, -EFBIG, "the debug information of '%s' is longer than 4 GB",
			       binary->path);
	subprograms->elf = elf_begin(fd, ELF_C_READ, NULL);
	subprograms->dwarf =
		subprograms->elf ? dwarf_begin_elf(subprograms->elf, DWARF_C_READ, NULL) : NULL;
	if (!subprograms->dwarf)
		return -ENODATA;
	r = open_common(subprograms, binary, why);
	if (r == 0)
		r = add_units(subprograms);
	return r == 0 && subprograms->n_units == 0 ? -ENODATA : r;
}

static void close_descriptor(struct subprograms *subprograms)
{
	dwarf_end(subprograms->dwarf);
	elf_end(subprograms->elf);
	subprograms->dwarf = NULL;
	subprograms->elf = NULL;
}

static int open_files(struct subprograms *subprograms, const struct binary *binary, struct why *why)
{
	int r;

	r = open_descriptor(subprograms, binary, binary->fd, why);
	if (r != -ENODATA || (why && why->text[0]))
		return r;
	close_descriptor(subprograms);
	r = debug_file_open(binary, &subprograms->file);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		r = open_descriptor(subprograms, binary, subprograms->file.fd, why);
	return r == -ENOENT ? -ENODATA : r;
}

int subprograms_open(const struct binary *binary, struct subprograms **ret_subprograms,
		     struct why *why)
{
	_cleanup_(subprograms_closep) struct subprograms *subprograms = NULL;
	struct why reason = {};
	int r;

	subprograms = calloc(1, sizeof(*subprograms));
	if (!subprograms)
		return -ENOMEM;
	subprograms->file.fd = subprograms->common.fd = -1;
	r = open_files(subprograms, binary, &reason);
	if (r == -ENODATA && !reason.text[0])
		return why_say(why, r, "'%s' has no debug information (it was compiled without -g)",
			       binary->path);
	if (r < 0 && reason.text[0])
		return why_say(why, r, "%s", reason.text);
	if (r < 0)
		return why_set(why, r, "cannot read the debug information of '%s'", binary->path);
	sort_ranges(subprograms);
	*ret_subprograms = take_ptr(subprograms);
	return 0;
}

static size_t ranges_up_to(const struct subprograms *subprograms, uint64_t address)
{
	size_t low = 0, high = subprograms->n_ranges, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (subprograms->ranges[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int take_units_at(struct subprograms *subprograms, uint64_t address)
{
	size_t from = ranges_up_to(subprograms, address);
	int r = 0;

	for (size_t i = from; r == 0 && i > 0 && from - i < MAX_OVERLAPS &&
			      subprograms->ranges[i - 1].highest > address;
	     i--) {
		if (subprograms->ranges[i - 1].high > address)
			r = take_unit(subprograms,
				      &subprograms->units[subprograms->ranges[i - 1].unit]);
	}
	return r;
}

static int take_units_without_ranges(struct subprograms *subprograms)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < subprograms->n_units; i++) {
		if (!subprograms->units[i].has_ranges)
			r = take_unit(subprograms, &subprograms->units[i]);
	}
	return r;
}

static bool is_named(Dwarf_Die *function, const char *linker_name)
{
	Dwarf_Attribute attribute;
	const char *name;

	if (!dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) &&
	    !dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute) &&
	    !dwarf_attr_integrate(function, DW_AT_name, &attribute))
		return false;
	name = dwarf_formstring(&attribute);
	return name && strcmp(name, linker_name) == 0;
}

/* The one with the name, or else the one that came first. */
static int find_entry(const struct subprograms *subprograms, uint64_t address,
		      const char *linker_name, Dwarf_Die *ret_function)
{
	size_t number = (size_t)hash_find(&subprograms->by_address, address);
	bool is_found = false;
	Dwarf_Die die;

	for (; number; number = subprograms->entries[number - 1].next) {
		if (!dwarf_offdie(subprograms->dwarf, subprograms->entries[number - 1].offset,
				  &die))
			continue;
		*ret_function = die;
		is_found = true;
		if (linker_name && is_named(&die, linker_name))
			break;
	}
	return is_found ? 0 : -ENOENT;
}

int subprograms_find(struct subprograms *subprograms, uint64_t address, const char *linker_name,
		     Dwarf_Die *ret_function)
{
	int r;

	r = take_units_at(subprograms, address);
	if (r == 0 && !hash_find(&subprograms->by_address, address))
		r = take_units_without_ranges(subprograms);
	return r < 0 ? r : find_entry(subprograms, address, linker_name, ret_function);
}
