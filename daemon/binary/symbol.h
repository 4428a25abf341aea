/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/symbol.h - the functions of a binary by name and address
 *
 * From .symtab and .dynsym; where the binary has no .symtab, from the separate debug file too, or
 * else from .gnu_debugdata (see binary/debugfile.h). No join points: undefined symbols and those
 * outside of executable segments, which are forgotten; IFUNC resolvers, and functions that cannot be
 * probed at all (see symbol_off_limits()), which stand apart.
 */
#ifndef PERFFLOW_BINARY_SYMBOL_H
#define PERFFLOW_BINARY_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

#include "binary/binary.h"

struct symbol {			 /* one name of a function; several may share an address */
	const char *linker_name; /* as in the file, without a version ("@@GLIBC_2.2.5") */
	uint64_t address;	 /* st_value */
	uint64_t file_offset;
	uint64_t size; /* bytes of code, 0 where the file does not tell */
	bool is_global;
	bool is_resolver;	/* an IFUNC: it chooses a function, and returns its address */
	bool returns_oddly;	/* by this name or by another one at its address */
};

struct symbols {
	/* by address; at one address global before local, then shorter names first, then by name */
	struct symbol *items;
	size_t n_items;
	/* those that are no join points, with all their names, in the same order */
	struct symbol *left_out;
	size_t n_left_out;
	/* what linker_name points into: the string tables of .symtab, .dynsym and the other file */
	char *names[3];
};

/*
 * Returns 0 with no symbols at all for a stripped file.
 * -ENOEXEC: its tables are damaged, why says how.
 */
int symbols_read(struct binary *binary, struct symbols *ret_symbols, struct why *why);

/* Nothing left out but resolvers: what it takes to tell which function an address is in. */
int symbols_read_names(struct binary *binary, struct symbols *ret_symbols, struct why *why);
void symbols_done(struct symbols *symbols);

/* The last symbol at or before an address, or NULL. */
const struct symbol *symbols_before(const struct symbols *symbols, uint64_t address);

/*
 * Demangles C++, Rust, D and gfortran's names: with the argument list ("ns::f(int)") or without it
 * ("ns::f", "ns::t<int>::g", "module::procedure"); never with the return type, ABI tags or the
 * marks of a clone. Returns 0 and a string, or -ENOENT for a name that is not mangled, or would be
 * absurdly long.
 */
int symbol_demangle(const char *linker_name, bool with_arguments, char **ret_name);
/* With the return type and the arguments, as they are; C++ alone. */
int symbol_demangle_whole(const char *linker_name, char **ret_name);

/*
 * How a function may be probed, by its linker name. Some return twice, keep the return address or
 * look at who called them (setjmp, vfork, getcontext, __cxa_throw, dlsym): a return probe would
 * break the program, so they get an entry probe alone. Others have no caller to return to or a
 * stack of their own making (_start, __restore_rt, _dl_runtime_resolve*, the .cold part of a
 * function): those are no join points, and the answer says why, as the rest of a sentence; else NULL.
 */
const char *symbol_off_limits(const char *linker_name);
bool symbol_returns_oddly(const char *linker_name);

/* Why n symbols of one address are left out. */
const char *symbols_left_out_because(const struct symbol *symbols, size_t n);

#endif
