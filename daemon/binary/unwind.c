/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The strongest sign is in .eh_frame: a CIE whose augmentation has a 'P' names a personality routine, which the unwinder calls
 * for each frame that an exception passes; no strip(1) takes it away. But a C++ file whose functions clean nothing up has
 * none, and is passed through all the same. So beside it count the names that it imports or defines (of personality routines,
 * of what raises and resumes), the libraries that it needs, and .gcc_except_table. A static C++ program that is stripped has
 * the first and the last of these.
 *
 * All counts and lengths come from outside: entries are walked within the section's bytes, and the first that makes no
 * sense ends the walk, with what was found before it. .eh_frame_hdr is used only to find .eh_frame in a file without a
 * section table: its own table has the starts of the ranges and not their ends.
 *
 * A C file through which somebody else's exception passes (a library that calls back into C++) looks like any other C file.
 * Nothing in it tells; whoever knows the process has to.
 */
#include "binary/unwind.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "binary/sorted.h"

#define MAX_SECTION_BYTES (256u << 20)
#define MAX_SYMBOLS	  (4u << 20)
#define MAX_NAME_BYTES	  64 /* longer than any that is looked for */

/* How a pointer in .eh_frame is written. */
enum {
	PE_ABSPTR = 0x00,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_FORM = 0x0f,
	PE_PCREL = 0x10,
	PE_RELATION = 0x70,
	PE_OMIT = 0xff,
};

struct cursor { /* over bytes that lie at an address of the file's */
	const uint8_t *data;
	size_t size, at;
	uint64_t address;
};

/* What a name among the symbols tells. */
static const struct {
	const char *glob;
	const char *reason; /* NULL: of several stacks */
} telling_names[] = {
	{"__gxx_personality_*", "C++ exceptions are caught or cleaned up after in it"},
	{"__gcc_personality_*", "cleanups run in it when a stack is unwound"},
	{"rust_eh_personality", "Rust panics unwind through it"},
	{"__rust_start_panic", "Rust panics unwind through it"},
	{"__gnat_personality_*", "Ada exceptions pass through it"},
	{"__gnat_eh_personality*", "Ada exceptions pass through it"},
	{"__gnu_objc_personality_*", "Objective-C exceptions pass through it"},
	{"__objc_personality_*", "Objective-C exceptions pass through it"},
	{"__gdc_personality_*", "D exceptions pass through it"},
	{"_d_eh_personality*", "D exceptions pass through it"},
	{"__gccgo_personality_*", "Go panics pass through it"},
	{"_Unwind_RaiseException", "it raises exceptions"},
	{"_Unwind_ForcedUnwind", "it unwinds stacks"},
	{"_Unwind_Resume*", "it cleans up when a stack is unwound"},
	{"__cxa_throw", "it throws C++ exceptions"},
	{"__cxa_rethrow", "it throws C++ exceptions"},
	{"_ZSt*__throw_*", "it throws C++ exceptions"},
	{"backtrace", "it looks at the stack"},
	{"_Unwind_Backtrace", "it looks at the stack"},
	{"unw_*", "it looks at the stack"},
	{"_ULx86_64_*", "it looks at the stack"},
	{"dlsym", "it asks who called it"},
	{"dlvsym", "it asks who called it"},
	{"dladdr*", "it asks whose an address is"},
	{"dl_iterate_phdr", "it looks at where code lies"},
	{"makecontext", NULL},
	{"swapcontext", NULL},
	{"setcontext", NULL},
	{"sigaltstack", NULL},
	{"*jump_fcontext", NULL},
	{"*make_fcontext", NULL},
	{"*ontop_fcontext", NULL},
	{"co_create", NULL},
	{"co_switch", NULL},
	{"coro_transfer", NULL},
	{"__splitstack_*", NULL},
};

static const char *const telling_libraries[] = {
	"libstdc++.so", "libc++.so", "libc++abi.so", "libgnat-", "libobjc.so", "libgphobos.so", "libphobos2", "libgo.so", "libstd-",
};

static void may_unwind(struct unwind *unwind, const char *reason)
{
	if (unwind->may_unwind)
		return;
	unwind->may_unwind = true;
	unwind->reason = reason;
}

static bool read_number(struct cursor *cursor, void *ret_number, size_t bytes)
{
	if (bytes > cursor->size - cursor->at)
		return false;
	memcpy(ret_number, cursor->data + cursor->at, bytes);
	cursor->at += bytes;
	return true;
}

static bool read_leb128(struct cursor *cursor, uint64_t *ret_number)
{
	uint64_t number = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (!read_number(cursor, &byte, 1))
			return false;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

static bool read_signed(struct cursor *cursor, size_t bytes, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!read_number(cursor, &number, bytes))
		return false;
	*ret_number = (uint64_t)((int64_t)(number << (64 - 8 * bytes)) >> (64 - 8 * bytes));
	return true;
}

/* Where it says so relative to itself; other relations are of no use to linkers here. */
static bool read_pointer(struct cursor *cursor, uint8_t encoding, uint64_t *ret_pointer)
{
	uint64_t number = 0, address = cursor->address + cursor->at;
	bool ok = false;

	switch (encoding & PE_FORM) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		ok = read_number(cursor, &number, 8);
		break;
	case PE_UDATA4:
		ok = read_number(cursor, &number, 4);
		break;
	case PE_UDATA2:
		ok = read_number(cursor, &number, 2);
		break;
	case PE_SDATA4:
		ok = read_signed(cursor, 4, &number);
		break;
	case PE_SDATA2:
		ok = read_signed(cursor, 2, &number);
		break;
	}
	if (!ok || ((encoding & PE_RELATION) != 0 && (encoding & PE_RELATION) != PE_PCREL))
		return false;
	*ret_pointer = number + ((encoding & PE_RELATION) == PE_PCREL ? address : 0);
	return true;
}

/* The next entry, with its content as a cursor. *ret_cie_at is where its CIE begins, UINT64_MAX if it is one. */
static bool next_entry(struct cursor *section, struct cursor *ret_entry, uint64_t *ret_cie_at)
{
	uint64_t bytes = 0, start;
	uint32_t back = 0;

	if (!read_number(section, &bytes, 4) || bytes == 0)
		return false;
	if (bytes == UINT32_MAX && !read_number(section, &bytes, 8))
		return false;
	start = section->at;
	if (bytes > section->size - start || bytes < sizeof(back))
		return false;
	read_number(section, &back, sizeof(back));
	if (back > start)
		return false;
	*ret_cie_at = back ? start - back : UINT64_MAX;
	*ret_entry = (struct cursor){section->data, start + bytes, section->at, section->address};
	section->at = start + bytes;
	return true;
}

/* The data of each letter of the augmentation; ret_encoding is that of the FDEs' addresses. */
static bool read_augmentation(struct cursor *cie, const char *letters, uint8_t *ret_encoding, bool *ret_has_personality)
{
	uint64_t ignored;
	uint8_t encoding;

	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			if (!read_number(cie, ret_encoding, 1))
				return false;
			break;
		case 'L':
			if (!read_number(cie, &encoding, 1))
				return false;
			break;
		case 'P':
			*ret_has_personality = true;
			/* an indirect pointer is as long as any; its value is not wanted */
			if (!read_number(cie, &encoding, 1) || !read_pointer(cie, encoding & PE_FORM, &ignored))
				return false;
			break;
		case 'S':
		case 'B':
		case 'G':
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool read_cie(struct cursor *cie, uint8_t *ret_encoding, bool *ret_has_personality)
{
	const char *letters;
	uint64_t ignored;
	uint8_t version;

	*ret_encoding = PE_ABSPTR;
	*ret_has_personality = false;
	if (!read_number(cie, &version, 1) || (version != 1 && version != 3 && version != 4))
		return false;
	letters = (const char *)cie->data + cie->at;
	if (!memchr(letters, '\0', cie->size - cie->at))
		return false;
	cie->at += strlen(letters) + 1;
	if (version == 4 && !read_number(cie, &ignored, 2))
		return false;
	if (!read_leb128(cie, &ignored) || !read_leb128(cie, &ignored))
		return false;
	if (version == 1 ? !read_number(cie, &version, 1) : !read_leb128(cie, &ignored))
		return false;
	if (*letters == '\0')
		return true;
	return *letters == 'z' && read_leb128(cie, &ignored) &&
	       read_augmentation(cie, letters + 1, ret_encoding, ret_has_personality);
}

static int add_range(struct unwind *unwind, uint64_t start, uint64_t bytes)
{
	int r;

	if (bytes == 0 || bytes > UINT64_MAX - start)
		return 0;
	r = array_grow(&unwind->ranges, unwind->n_ranges, sizeof(*unwind->ranges));
	if (r < 0)
		return r;
	unwind->ranges[unwind->n_ranges++] = (struct unwind_range){start, start + bytes};
	return 0;
}

/* An FDE says from where and for how many bytes, in the way that its CIE tells. */
static int walk(struct unwind *unwind, struct cursor *section)
{
	uint64_t cie_at, known_at = UINT64_MAX, start, bytes, none;
	struct cursor entry, cie;
	bool has_personality;
	uint8_t encoding = 0;
	int r = 0;

	while (r == 0 && next_entry(section, &entry, &cie_at)) {
		if (cie_at == UINT64_MAX)
			continue;
		if (cie_at != known_at) {
			struct cursor at = {section->data, section->size, cie_at, section->address};

			if (!next_entry(&at, &cie, &none) || none != UINT64_MAX ||
			    !read_cie(&cie, &encoding, &has_personality))
				break;
			known_at = cie_at;
			if (has_personality)
				may_unwind(unwind, "functions of it name a routine for exceptions that pass through");
		}
		if (!read_pointer(&entry, encoding, &start) || !read_pointer(&entry, encoding & PE_FORM, &bytes))
			break;
		r = add_range(unwind, start, bytes);
	}
	return r;
}

static bool is_wanted(const GElf_Shdr *header)
{
	return header->sh_size > 0 && header->sh_size <= MAX_SECTION_BYTES && header->sh_type != SHT_NOBITS &&
	       !(header->sh_flags & SHF_COMPRESSED);
}

static int read_frames_of_section(struct unwind *unwind, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = is_wanted(header) ? elf_rawdata(section, NULL) : NULL;
	struct cursor cursor;

	if (!data || !data->d_buf)
		return 0;
	cursor = (struct cursor){data->d_buf, data->d_size, 0, header->sh_addr};
	return walk(unwind, &cursor);
}

/* The bytes from an address to the end of its segment. */
static int read_from(const struct binary *binary, uint64_t address, uint8_t **ret_bytes, size_t *ret_size)
{
	for (size_t i = 0; i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];
		uint64_t into = address - segment->address;
		_cleanup_free_ uint8_t *bytes = NULL;
		ssize_t size;

		if (address < segment->address || into >= segment->file_bytes)
			continue;
		if (segment->file_bytes - into > MAX_SECTION_BYTES)
			return -ENOENT;
		bytes = malloc(segment->file_bytes - into);
		if (!bytes)
			return -ENOMEM;
		size = binary_read(binary, segment->file_offset + into, bytes, segment->file_bytes - into);
		if (size < 0)
			return -ENOENT;
		*ret_size = size;
		*ret_bytes = take_ptr(bytes);
		return 0;
	}
	return -ENOENT;
}

/* .eh_frame_hdr: version, three encodings, then where .eh_frame is. */
static int read_frames_of_segment(struct unwind *unwind, const struct binary *binary, uint64_t address)
{
	_cleanup_free_ uint8_t *index = NULL, *frames = NULL;
	struct cursor cursor;
	uint64_t frames_at;
	size_t size = 0;
	int r;

	r = read_from(binary, address, &index, &size);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	cursor = (struct cursor){index, size, 4, address};
	if (size < 4 || index[0] != 1 || index[1] == PE_OMIT || !read_pointer(&cursor, index[1], &frames_at))
		return 0;
	r = read_from(binary, frames_at, &frames, &size);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	cursor = (struct cursor){frames, size, 0, frames_at};
	return walk(unwind, &cursor);
}

static int read_segments(struct unwind *unwind, const struct binary *binary)
{
	GElf_Phdr header;
	size_t n = 0;

	if (elf_getphdrnum(binary->elf, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (gelf_getphdr(binary->elf, i, &header) && header.p_type == PT_GNU_EH_FRAME)
			return read_frames_of_segment(unwind, binary, header.p_vaddr);
	}
	return 0;
}

static void judge_name(struct unwind *unwind, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(telling_names); i++) {
		/* most names differ at once */
		if (telling_names[i].glob[0] != '*' && telling_names[i].glob[0] != name[0])
			continue;
		if (!text_glob(telling_names[i].glob, name))
			continue;
		if (telling_names[i].reason)
			may_unwind(unwind, telling_names[i].reason);
		else
			unwind->uses_several_stacks = true;
	}
}

/* A version may follow the name in .symtab. */
static void judge_symbol(struct unwind *unwind, const Elf_Data *names, size_t at)
{
	char name[MAX_NAME_BYTES + 1];
	size_t size, left;

	if (at >= names->d_size)
		return;
	left = names->d_size - at;
	size = strnlen((const char *)names->d_buf + at, left < MAX_NAME_BYTES ? left : MAX_NAME_BYTES);
	if (size == 0)
		return;
	memcpy(name, (const char *)names->d_buf + at, size);
	name[size] = '\0';
	name[strcspn(name, "@")] = '\0';
	judge_name(unwind, name);
}

static void judge_symbols(struct unwind *unwind, const struct binary *binary, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Scn *names_section = elf_getscn(binary->elf, header->sh_link);
	Elf_Data *data, *names;
	GElf_Shdr names_header;
	GElf_Sym symbol;

	if (!is_wanted(header) || header->sh_entsize != sizeof(Elf64_Sym) || !names_section ||
	    !gelf_getshdr(names_section, &names_header) || !is_wanted(&names_header))
		return;
	data = elf_getdata(section, NULL);
	names = elf_rawdata(names_section, NULL);
	if (!data || !names || !names->d_buf)
		return;
	for (size_t i = 0; i < data->d_size / sizeof(Elf64_Sym) && i < MAX_SYMBOLS; i++) {
		if (!gelf_getsym(data, i, &symbol))
			return;
		judge_symbol(unwind, names, symbol.st_name);
	}
}

static bool is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names) != 0)
		names++;
	return *names;
}

static bool section_imports(const struct binary *binary, Elf_Scn *section, const GElf_Shdr *header, const char *const *names)
{
	Elf_Data *data = is_wanted(header) && header->sh_entsize == sizeof(Elf64_Sym) ? elf_getdata(section, NULL) : NULL;
	GElf_Sym symbol;
	const char *name;

	for (size_t i = 0; data && i < data->d_size / sizeof(Elf64_Sym) && i < MAX_SYMBOLS; i++) {
		if (!gelf_getsym(data, i, &symbol))
			return false;
		name = symbol.st_shndx == SHN_UNDEF ? elf_strptr(binary->elf, header->sh_link, symbol.st_name) : NULL;
		if (name && is_among(name, names))
			return true;
	}
	return false;
}

/* Whether it calls one of these in another file. A file that does not tell may. */
static bool imports(const struct binary *binary, const char *const *names)
{
	bool is_told = !binary->needed.n_items;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(binary->elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
			continue;
		if (section_imports(binary, section, &header, names))
			return true;
		is_told = true;
	}
	return !is_told;
}

bool unwind_loads_libraries(const struct binary *binary)
{
	static const char *const names[] = { "dlopen", "dlmopen", NULL };

	return imports(binary, names);
}

bool unwind_starts_programs(const struct binary *binary)
{
	static const char *const names[] = {
		"execl",   "execle",	  "execlp",	  "execv",   "execve",	 "execvp", "execvpe", "execveat",
		"fexecve", "posix_spawn", "posix_spawnp", "system",  "popen",	 "wordexp", "syscall", NULL,
	};

	return (binary->is_program && !binary->interpreter) || imports(binary, names);
}

static void judge_libraries(struct unwind *unwind, const struct binary *binary)
{
	for (size_t i = 0; i < binary->needed.n_items; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(telling_libraries); j++) {
			if (strncmp(binary->needed.items[i], telling_libraries[j], strlen(telling_libraries[j])) == 0)
				may_unwind(unwind, "it needs the library of a language with exceptions");
		}
	}
}

static int judge_section(struct unwind *unwind, const struct binary *binary, Elf_Scn *section, const GElf_Shdr *header,
			 const char *name)
{
	if (header->sh_type == SHT_SYMTAB || header->sh_type == SHT_DYNSYM)
		judge_symbols(unwind, binary, section, header);
	else if (name && strncmp(name, ".gcc_except_table", strlen(".gcc_except_table")) == 0)
		may_unwind(unwind, "it has exception tables");
	else if (name && strcmp(name, ".eh_frame") == 0)
		return read_frames_of_section(unwind, section, header);
	return 0;
}

static int read_sections(struct unwind *unwind, const struct binary *binary)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names = 0;
	int r = 0;

	if (elf_getshdrstrndx(binary->elf, &names) < 0)
		return 0;
	while (r == 0 && (section = elf_nextscn(binary->elf, section))) {
		if (!gelf_getshdr(section, &header))
			break;
		r = judge_section(unwind, binary, section, &header, elf_strptr(binary->elf, names, header.sh_name));
	}
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct unwind_range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

int unwind_read(const struct binary *binary, struct unwind *ret_unwind)
{
	struct unwind unwind = {};
	int r;

	if (binary->is_go)
		may_unwind(&unwind, "it is written in Go, which moves its stacks and walks them");
	r = read_sections(&unwind, binary);
	if (r == 0 && !unwind.n_ranges)
		r = read_segments(&unwind, binary);
	if (r < 0) {
		unwind_done(&unwind);
		return r;
	}
	judge_libraries(&unwind, binary);
	if (!unwind.may_unwind)
		unwind.reason = "nothing in it throws, catches or cleans up after exceptions";
	if (unwind.n_ranges)
		qsort(unwind.ranges, unwind.n_ranges, sizeof(*unwind.ranges), by_start);
	*ret_unwind = unwind;
	return 0;
}

void unwind_done(struct unwind *unwind)
{
	free(unwind->ranges);
	*unwind = (struct unwind){};
}

const struct unwind_range *unwind_find_range(const struct unwind *unwind, uint64_t address)
{
	size_t n = sorted_until(unwind->ranges, unwind->n_ranges, start, address);

	return n && address < unwind->ranges[n - 1].end ? &unwind->ranges[n - 1] : NULL;
}
