/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The name of a unit in DWARF is the source as it stood in the compiler's command. What a linker's
 * optimizer has made of several units is in one without a source; each function in there refers to
 * the one that it comes from.
 *
 * A mangled name has the return type of templates alone, so that is what stands before their names.
 */
#include "binary/unit.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/sorted.h"
#include "binary/subprogram.h"
#include "util/why.h"

#define MAX_ORIGINS 8

struct units {
	const struct binary *binary;
	const struct symbols *symbols;
	struct subprograms *subprograms;
	bool is_asked; /* for them */
};

int units_open(const struct binary *binary, const struct symbols *symbols, struct units **ret_units)
{
	struct units *units = calloc(1, sizeof(*units));

	if (!units)
		return -ENOMEM;
	units->binary = binary;
	units->symbols = symbols;
	*ret_units = units;
	return 0;
}

void units_close(struct units *units)
{
	if (!units)
		return;
	subprograms_close(units->subprograms);
	free(units);
}

static int read_subprograms(struct units *units)
{
	struct why ignored = {0};
	int r;

	if (units->is_asked)
		return 0;
	units->is_asked = true;
	r = subprograms_open(units->binary, &units->subprograms, &ignored);
	return r == -ENOMEM ? r : 0;
}

/* Where a function that was moved to another unit was written. */
static Dwarf_Die find_origin(Dwarf_Die die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die origin;

	for (int i = 0; i < MAX_ORIGINS; i++) {
		if (!dwarf_attr(&die, DW_AT_abstract_origin, &attribute) ||
		    !dwarf_formref_die(&attribute, &origin))
			break;
		die = origin;
	}
	return die;
}

static int find_source(struct units *units, const struct symbol *symbol, char **ret_source)
{
	Dwarf_Die die, origin, unit;
	const char *name = NULL;
	int r;

	r = read_subprograms(units);
	if (r < 0 || !units->subprograms)
		return r;
	r = subprograms_find(units->subprograms, symbol->address, symbol->linker_name, &die);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	origin = find_origin(die);
	if (dwarf_diecu(&origin, &unit, NULL, NULL))
		name = dwarf_diename(&unit);
	if (!name || !*name)
		return 0;
	*ret_source = strdup(name);
	return *ret_source ? 0 : -ENOMEM;
}

/* "int t<int>" of "int t<int>(int)" where the plain name is "t<int>". */
static char *with_return_type(const char *whole, const char *plain)
{
	const char *at = strstr(whole, plain);
	size_t size = strlen(plain);

	if (!at || at[size] != '(' || (at > whole && at[-1] != ' '))
		return strdup(plain);
	return strndup(whole, (size_t)(at - whole) + size);
}

int units_name_function(const char *linker_name, char **ret_function)
{
	/* what the optimizer adds for parts and copies of a function is no part of its name */
	_cleanup_free_ char *name = strndup(linker_name, strcspn(linker_name, ".")),
			    *plain = NULL, *whole = NULL;
	int r;

	if (!name)
		return -ENOMEM;
	r = symbol_demangle(name, false, &plain);
	if (r == -ENOENT) {
		*ret_function = *name ? take_ptr(name) : strdup(linker_name);
	} else if (r == 0) {
		r = symbol_demangle_whole(name, &whole);
		if (r == -ENOMEM)
			return r;
		*ret_function = whole ? with_return_type(whole, plain) : take_ptr(plain);
	} else {
		return r;
	}
	return *ret_function ? 0 : -ENOMEM;
}

int units_describe(struct units *units, uint64_t address, char **ret_source, char **ret_function)
{
	size_t i = sorted_until(units->symbols->items, units->symbols->n_items, address, address);
	const struct symbol *symbol;
	int r;

	while (i > 1 && units->symbols->items[i - 2].address == address)
		i--;
	if (i == 0 || units->symbols->items[i - 1].address != address)
		return -ENOENT;
	symbol = &units->symbols->items[i - 1];
	*ret_source = *ret_function = NULL;
	r = find_source(units, symbol, ret_source);
	return r ?: units_name_function(symbol->linker_name, ret_function);
}
