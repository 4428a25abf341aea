/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The string tables are copied whole and names point into the copies: there are as many names as
 * symbols, and most of the tables is used. A table of a hostile file may have millions of symbols
 * that all share one long name, so the bytes that are looked at in all have a limit beside the
 * counts.
 */
#include "binary/symbol.h"

#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/debugfile.h"
#include "binary/sorted.h"

#define MAX_TABLE_BYTES	    (512ULL << 20)
#define MAX_SYMBOLS	    (4ULL << 20)
#define MAX_NAME_BYTES	    (16 << 10)
#define MAX_BYTES_LOOKED_AT (1ULL << 30)

struct reader {
	const struct binary *binary;
	struct symbols *symbols;
	size_t n_tables;      /* string tables copied into symbols->names */
	bool has_all;	      /* the binary has a .symtab */
	uint64_t n_looked_at; /* bytes of names */
	struct why *why;
};

/* Of the forms "name", "name*", "*name" and "*name*"; there may be millions of names, so they are
 * not matched as globs. */
static bool matches(const char *glob, const char *name, size_t size)
{
	size_t n = strlen(glob);

	if (glob[0] != '*')
		return glob[n - 1] == '*' ? strncmp(glob, name, n - 1) == 0
					  : strcmp(glob, name) == 0;
	if (glob[n - 1] == '*')
		return memmem(name, size, glob + 1, n - 2);
	return size >= n - 1 && memcmp(name + size - (n - 1), glob + 1, n - 1) == 0;
}

static bool matches_any(const char *const *globs, size_t n, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < n; i++) {
		/* most names differ at once */
		if (globs[i][0] != '*' && globs[i][0] != name[0])
			continue;
		if (matches(globs[i], name, size))
			return true;
	}
	return false;
}

#define MAX_GLOBS 8

const char *symbol_off_limits(const char *linker_name)
{
	static const struct {
		const char *because;
		const char *globs[MAX_GLOBS];
	} kinds[] = {
		/* no return address is on the stack */
		{"nobody calls it: the kernel or the loader jumps to it, to begin the program",
		 {"_start", "_dl_start", "_dl_start_user"}},
		{"nobody calls it: handlers of signals return to it",
		 {"__restore", "__restore_rt", "__kernel_rt_sigreturn"}},
		{"nobody calls it: a new context returns to it", {"__start_context"}},
		/* not at the top of a frame */
		{"it is a piece of a function that is seldom run, and is jumped to; the function itself can be probed",
		 {"*.cold", "*.cold.*"}},
		{"it has a stack or registers of its own making",
		 {"_dl_runtime_resolve*", "_dl_runtime_profile*", "_dl_tlsdesc_*", "__morestack*"}},
		{"it reads or replaces its own return address",
		 {"__x86.get_pc_thunk.*", "__x86_indirect_thunk*", "__x86_return_thunk*", "__llvm_retpoline_*",
		  "__llvm_external_retpoline_*", "__llvm_lvi_thunk_*"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = 0;

		while (n < MAX_GLOBS && kinds[i].globs[n])
			n++;
		if (matches_any(kinds[i].globs, n, linker_name))
			return kinds[i].because;
	}
	return NULL;
}

bool symbol_returns_oddly(const char *linker_name)
{
	static const char *const globs[] = {
		/* they return twice, the second time when what a return probe put on the stack is
		   gone */
		"setjmp",
		"_setjmp",
		"__setjmp",
		"sigsetjmp",
		"_sigsetjmp",
		"__sigsetjmp",
		"__sigsetjmp_cancel",
		"getcontext",
		"__getcontext",
		"savectx",
		"vfork",
		"__vfork",
		"__libc_vfork",
		/* they return on another stack than they were called on */
		"swapcontext",
		"__swapcontext",
		"*_fcontext",
		"co_switch",
		"clone",
		"__clone",
		"__clone2",
		"clone3",
		"__clone3",
		"rfork",
		/* they walk up the stack, which for them would end at the probe: exceptions would
		   terminate the program */
		"_Unwind_RaiseException",
		"_Unwind_Resume",
		"_Unwind_Resume_or_Rethrow",
		"_Unwind_ForcedUnwind",
		"_Unwind_Backtrace",
		"backtrace",
		"__backtrace",
		"unw_backtrace",
		"_Ux86_64_getcontext",
		"__cxa_throw*",
		"__cxa_rethrow*",
		"__cxa_bad_cast",
		"__cxa_bad_typeid",
		"__cxa_call_unexpected",
		"__cxa_end_cleanup",
		"*__throw_*",
		"_ZSt17rethrow_exception*",
		"_ZNKSt16nested_exception14rethrow_nested*",
		"*9panicking*",
		"*rust_panic*",
		"*rust_begin_unwind*",
		"__rust_start_panic*",
		"__gnat_raise*",
		"pthread_exit",
		"__pthread_exit",
		"pthread_testcancel",
		"__pthread_testcancel",
		"__pthread_unwind*",
		"thrd_exit",
		"objc_exception_throw",
		/* they ask who called them by their return address */
		"dlopen",
		"dlmopen",
		"dlsym",
		"dlvsym",
		"__dlopen",
		"__dlmopen",
		"__dlsym",
		"__dlvsym",
		"___dlopen",
		"___dlmopen",
		"___dlsym",
		"___dlvsym",
		"mcount",
		"_mcount",
		"__mcount",
		"__fentry__",
	};

	return matches_any(globs, ARRAY_SIZE(globs), linker_name);
}

static int damaged(const struct reader *reader, const char *what)
{
	return why_say(reader->why, -ENOEXEC, "the symbols of '%s' cannot be read: %s",
		       reader->binary->path, what);
}

/* The section's bytes, checked against the file by libelf. */
static int read_section(const struct reader *reader, Elf_Scn *section, GElf_Shdr *header,
			Elf_Data **ret_data)
{
	Elf_Data *data;

	if (!section || !gelf_getshdr(section, header))
		return damaged(reader, elf_errmsg(-1));
	if (header->sh_size > MAX_TABLE_BYTES)
		return damaged(reader, "a table is absurdly large");
	if (header->sh_type == SHT_NOBITS || header->sh_flags & SHF_COMPRESSED)
		return damaged(reader, "a table is not what it claims to be");
	data = elf_getdata(section, NULL);
	if (!data || (data->d_size && !data->d_buf))
		return damaged(reader, elf_errmsg(-1));

	*ret_data = data;
	return 0;
}

static int copy_strings(struct reader *reader, Elf *elf, size_t index, char **ret_names,
			size_t *ret_size)
{
	GElf_Shdr header;
	Elf_Data *data;
	char *names;
	int r;

	r = read_section(reader, elf_getscn(elf, index), &header, &data);
	if (r < 0)
		return r;
	if (header.sh_type != SHT_STRTAB || data->d_size == 0)
		return damaged(reader, "they have no string table");
	if (((const char *)data->d_buf)[data->d_size - 1] != '\0')
		return damaged(reader, "their string table has no end");

	names = malloc(data->d_size);
	if (!names)
		return -ENOMEM;
	memcpy(names, data->d_buf, data->d_size);
	reader->symbols->names[reader->n_tables++] = names;
	*ret_names = names;
	*ret_size = data->d_size;
	return 0;
}

/*
 * In the copy, "name@VERSION" becomes "name"; names share their tails, so that may be seen twice,
 * which is right.
 */
static size_t cut_version(char *name, size_t size)
{
	char *at = size > 1 ? memchr(name + 1, '@', size - 1) : NULL;

	if (!at)
		return size;
	*at = '\0';
	return at - name;
}

static int add_symbol(struct reader *reader, const GElf_Sym *entry, char *name)
{
	struct symbols *symbols = reader->symbols;
	struct symbol symbol = {
		.linker_name = name,
		.address = entry->st_value,
		.size = entry->st_size,
		.is_global = GELF_ST_BIND(entry->st_info) != STB_LOCAL,
		.is_resolver = GELF_ST_TYPE(entry->st_info) == STT_GNU_IFUNC,
	};
	size_t size;
	int r;

	if (binary_file_offset(reader->binary, symbol.address, &symbol.file_offset) < 0)
		return 0;
	size = strnlen(name, MAX_NAME_BYTES);
	reader->n_looked_at += size;
	if (reader->n_looked_at > MAX_BYTES_LOOKED_AT)
		return damaged(reader, "their names are absurdly long");
	if (size == MAX_NAME_BYTES || cut_version(name, size) == 0)
		return 0;
	if (symbols->n_items >= MAX_SYMBOLS)
		return damaged(reader, "they are too many");

	r = array_grow(&symbols->items, symbols->n_items, sizeof(symbol));
	if (r < 0)
		return r;
	symbols->items[symbols->n_items++] = symbol;
	return 0;
}

static bool is_function(const GElf_Sym *entry)
{
	unsigned int type = GELF_ST_TYPE(entry->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && entry->st_shndx != SHN_UNDEF;
}

static int read_table(struct reader *reader, Elf *elf, Elf_Scn *section)
{
	size_t names_size = 0, n;
	GElf_Shdr header;
	char *names = NULL;
	Elf_Data *data;
	GElf_Sym entry;
	int r;

	r = read_section(reader, section, &header, &data);
	if (r < 0)
		return r;
	if (header.sh_entsize != sizeof(Elf64_Sym))
		return damaged(reader, "the size of an entry makes no sense");
	if (reader->n_tables == ARRAY_SIZE(reader->symbols->names))
		return damaged(reader, "there are too many tables of them");
	r = copy_strings(reader, elf, header.sh_link, &names, &names_size);

	n = data->d_size / sizeof(Elf64_Sym);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!gelf_getsym(data, i, &entry))
			return damaged(reader, elf_errmsg(-1));
		if (!is_function(&entry))
			continue;
		if (entry.st_name >= names_size)
			return damaged(reader, "a name lies outside of their string table");
		r = add_symbol(reader, &entry, names + entry.st_name);
	}
	return r;
}

/* At most one table of each kind: that is what the format allows. */
static int read_tables_of(struct reader *reader, Elf *elf, bool with_dynamic)
{
	bool done[2] = {false, !with_dynamic};
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	bool dynamic;
	int r;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			return damaged(reader, elf_errmsg(-1));
		if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM)
			continue;
		dynamic = header.sh_type == SHT_DYNSYM;
		if (done[dynamic] || header.sh_size == 0)
			continue;
		done[dynamic] = true;
		reader->has_all |= !dynamic;
		r = read_table(reader, elf, section);
		if (r < 0)
			return r;
	}
	return 0;
}

static void forget_tables(struct reader *reader, size_t n_tables, size_t n_items)
{
	reader->symbols->n_items = n_items;
	while (reader->n_tables > n_tables) {
		free(reader->symbols->names[--reader->n_tables]);
		reader->symbols->names[reader->n_tables] = NULL;
	}
}

/* What is wrong with such a file is no reason to refuse the binary. */
static int read_other_file(struct reader *reader, struct debug_file *file)
{
	size_t n_items = reader->symbols->n_items, n_tables = reader->n_tables;
	struct why *why = reader->why;
	int r;

	reader->why = NULL;
	r = read_tables_of(reader, file->elf, false);
	reader->why = why;
	debug_file_close(file);
	if (r < 0)
		forget_tables(reader, n_tables, n_items);
	return r == -ENOMEM ? r : 0;
}

/* Where the binary has all of its symbols, nobody else is asked. */
static int read_other_files(struct reader *reader)
{
	struct debug_file file;
	int r;

	if (reader->has_all)
		return 0;
	r = debug_file_open(reader->binary, &file);
	if (r == 0)
		return read_other_file(reader, &file);
	if (r == -ENOENT)
		r = debug_file_unpack(reader->binary, &file);
	if (r == 0)
		return read_other_file(reader, &file);
	return r == -ENOMEM ? r : 0;
}

static int by_address_and_name(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;
	int r;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	r = strcmp(left->linker_name, right->linker_name);
	if (r != 0)
		return r;
	if (left->is_global != right->is_global)
		return left->is_global ? -1 : 1;
	return (left->size < right->size) - (left->size > right->size);
}

static int by_address_and_rank(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;
	size_t left_length, right_length;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->is_global != right->is_global)
		return left->is_global ? -1 : 1;
	left_length = strlen(left->linker_name);
	right_length = strlen(right->linker_name);
	if (left_length != right_length)
		return left_length < right_length ? -1 : 1;
	return strcmp(left->linker_name, right->linker_name);
}

static void drop_duplicates(struct symbols *symbols)
{
	size_t n = 0;

	for (size_t i = 0; i < symbols->n_items; i++) {
		const struct symbol *symbol = &symbols->items[i];
		const struct symbol *last = n ? &symbols->items[n - 1] : NULL;

		if (last && last->address == symbol->address &&
		    strcmp(last->linker_name, symbol->linker_name) == 0)
			continue;
		symbols->items[n++] = *symbol;
	}
	symbols->n_items = n;
}

static int leave_out(struct symbols *symbols, const struct symbol *symbol)
{
	struct symbol kept = *symbol;
	int r;

	r = array_grow(&symbols->left_out, symbols->n_left_out, sizeof(kept));
	if (r < 0)
		return r;
	symbols->left_out[symbols->n_left_out++] = kept;
	return 0;
}

/* One name tells of all at its address: "setjmp" may have a local alias that nobody would suspect. A resolver is a function too,
   which may have a name as such. */
static int judge_by_names(struct symbols *symbols)
{
	size_t n = 0, end;
	int r = 0;

	for (size_t i = 0; i < symbols->n_items && r == 0; i = end) {
		bool off_limits = false, oddly = false;

		for (end = i; end < symbols->n_items &&
			      symbols->items[end].address == symbols->items[i].address;
		     end++) {
			off_limits |= symbol_off_limits(symbols->items[end].linker_name) != NULL;
			oddly |= symbol_returns_oddly(symbols->items[end].linker_name);
		}
		for (size_t j = i; j < end && r == 0; j++) {
			if (off_limits || symbols->items[j].is_resolver) {
				r = leave_out(symbols, &symbols->items[j]);
				continue;
			}
			symbols->items[n] = symbols->items[j];
			symbols->items[n++].returns_oddly = oddly;
		}
	}
	symbols->n_items = n;
	return r;
}

const char *symbols_left_out_because(const struct symbol *symbols, size_t n)
{
	const char *because = NULL;

	for (size_t i = 0; i < n && !because; i++)
		because = symbol_off_limits(symbols[i].linker_name);
	return because ?: "it is an IFUNC: the function that it stands for is chosen when the program is loaded, and has a name of its own";
}

static void drop_resolvers(struct symbols *symbols)
{
	size_t n = 0;

	for (size_t i = 0; i < symbols->n_items; i++) {
		if (!symbols->items[i].is_resolver)
			symbols->items[n++] = symbols->items[i];
	}
	symbols->n_items = n;
}

static int read_all(struct binary *binary, struct symbols *symbols, struct why *why)
{
	struct reader reader = {.binary = binary, .symbols = symbols, .why = why};
	int r;

	r = read_tables_of(&reader, binary->elf, true);
	if (r == 0)
		r = read_other_files(&reader);
	if (r < 0 || !symbols->n_items)
		return r;
	qsort(symbols->items, symbols->n_items, sizeof(*symbols->items), by_address_and_name);
	drop_duplicates(symbols);
	qsort(symbols->items, symbols->n_items, sizeof(*symbols->items), by_address_and_rank);
	return 0;
}

int symbols_read(struct binary *binary, struct symbols *ret_symbols, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	int r;

	r = read_all(binary, &symbols, why);
	if (r == 0)
		r = judge_by_names(&symbols);
	if (r < 0)
		return r;

	*ret_symbols = symbols;
	symbols = (struct symbols){};
	return 0;
}

int symbols_read_names(struct binary *binary, struct symbols *ret_symbols, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = {};
	int r;

	r = read_all(binary, &symbols, why);
	if (r < 0)
		return r;
	drop_resolvers(&symbols);

	*ret_symbols = symbols;
	symbols = (struct symbols){};
	return 0;
}

void symbols_done(struct symbols *symbols)
{
	free(symbols->items);
	free(symbols->left_out);
	for (size_t i = 0; i < ARRAY_SIZE(symbols->names); i++)
		free(symbols->names[i]);
	*symbols = (struct symbols){};
}

const struct symbol *symbols_before(const struct symbols *symbols, uint64_t address)
{
	size_t n = sorted_until(symbols->items, symbols->n_items, address, address);

	return n ? &symbols->items[n - 1] : NULL;
}
