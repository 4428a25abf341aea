/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The file is read with libelf by read(2), never through a mapping: a file that is cut off while we
 * read it gives an error instead of SIGBUS. libelf checks its own tables; what it hands out
 * unchecked (the program headers, the dynamic section) is checked here against the size of the file
 * before anything is read through it. All counts and lengths have a limit far above what linkers
 * make, so that no file can make us allocate or loop without end.
 *
 * The dynamic section is found by its segment, not by its section: that is what the loader goes by,
 * and it is there in files without a section table.
 */
#include "binary/binary.h"

#include "util/reach.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "binary/pages.h"

#define MAX_SEGMENTS	   4096
#define MAX_NEEDED	   4096
#define MAX_STRING_BYTES   4096	     /* of a path or soname in the dynamic section */
#define MAX_DYNAMIC_BYTES  (1 << 20) /* a real one has a few hundred */
#define MAX_NOTE_BYTES	   (1 << 20)
#define MAX_BUILD_ID_BYTES 20

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#error "perfflow knows x86-64 and AArch64"
#endif

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return "AArch64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_PPC64:
		return "64-bit PowerPC";
	case EM_RISCV:
		return "RISC-V";
	case EM_S390:
		return "S/390";
	case EM_CUDA:
		return "CUDA";
	case EM_BPF:
		return "BPF";
	default:
		return "another machine";
	}
}

ssize_t binary_read(const struct binary *binary, uint64_t file_offset, void *buffer, size_t size)
{
	return pages_read(binary->pages, binary->fd, file_offset, buffer, size);
}

static bool range_is_inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset <= size && bytes <= size - offset;
}

static int refuse_script(const struct binary *binary, const char *line, struct why *why)
{
	size_t skip = 2 + strspn(line + 2, " \t");
	int length = strcspn(line + skip, " \t\r\n");

	if (length == 0)
		return why_say(why, -ENOEXEC, "'%s' is a script: name the program that it runs",
			       binary->path);
	return why_say(why, -ENOEXEC,
		       "'%s' is a script, run by %.*s: name the program that it runs", binary->path,
		       length, line + skip);
}

static int refuse_type(const struct binary *binary, uint16_t type, struct why *why)
{
	switch (type) {
	case ET_REL:
		return why_say(why, -ENOEXEC,
			       "'%s' is an object file: name the program that it is linked into",
			       binary->path);
	case ET_CORE:
		return why_say(why, -ENOEXEC, "'%s' is a core dump, not a program", binary->path);
	default:
		return why_say(why, -ENOEXEC, "'%s' is neither a program nor a shared library",
			       binary->path);
	}
}

/* The first bytes tell whether libelf is worth asking; it would say less. */
static int check_header(struct binary *binary, struct why *why)
{
	union {
		Elf64_Ehdr header;
		char line[256];
	} start = {};
	const Elf64_Ehdr *header = &start.header;
	ssize_t n;

	n = binary_read(binary, 0, &start, sizeof(start) - 1);
	if (n < 0)
		return why_set(why, n, "cannot read '%s'", binary->path);
	if (n == 0)
		return why_say(why, -ENOEXEC, "'%s' is empty", binary->path);
	if (n >= 2 && memcmp(start.line, "#!", 2) == 0)
		return refuse_script(binary, start.line, why);
	if (n >= 8 && memcmp(start.line, "!<arch>\n", 8) == 0)
		return why_say(why, -ENOEXEC,
			       "'%s' is a static library: name the program that it is linked into",
			       binary->path);
	if (n < SELFMAG || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return why_say(why, -ENOEXEC, "'%s' is not an ELF file", binary->path);
	if (n < (ssize_t)sizeof(*header))
		return why_say(why, -ENOEXEC, "'%s' is truncated: its header is cut off",
			       binary->path);
	if (header->e_ident[EI_CLASS] == ELFCLASS32)
		return why_say(why, -ENOEXEC,
			       "'%s' is a 32-bit binary: only 64-bit ones can be traced",
			       binary->path);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_VERSION] != EV_CURRENT)
		return why_say(why, -ENOEXEC, "'%s' is damaged: its header makes no sense",
			       binary->path);
	if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != NATIVE_MACHINE)
		return why_say(
			why, -ENOEXEC, "'%s' is made for %s, but this machine is %s", binary->path,
			header->e_ident[EI_DATA] == ELFDATA2LSB ? machine_name(header->e_machine)
								: "a big-endian machine",
			machine_name(NATIVE_MACHINE));
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return refuse_type(binary, header->e_type, why);

	binary->machine = header->e_machine;
	binary->is_program = header->e_type == ET_EXEC;
	return 0;
}

static int check_tables(const struct binary *binary, struct why *why)
{
	GElf_Ehdr header;

	if (!gelf_getehdr(binary->elf, &header))
		return why_say(why, -ENOEXEC, "'%s' is damaged: %s", binary->path, elf_errmsg(-1));
	if (!range_is_inside(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr),
			     binary->size))
		return why_say(why, -ENOEXEC,
			       "'%s' is truncated: its program headers lie past its end",
			       binary->path);
	if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr))
		return why_say(why, -ENOEXEC, "'%s' is damaged: it has no program headers",
			       binary->path);
	/* a stripped section table is none at all; one that lies past the end was there once */
	if (header.e_shoff &&
	    !range_is_inside(header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr),
			     binary->size))
		return why_say(why, -ENOEXEC,
			       "'%s' is truncated: its section table lies past its end",
			       binary->path);
	return 0;
}

static int add_segment(struct binary *binary, const GElf_Phdr *header, struct why *why)
{
	int r;

	if (!range_is_inside(header->p_offset, header->p_filesz, binary->size))
		return why_say(why, -ENOEXEC,
			       "'%s' is truncated: a segment of it lies past its end",
			       binary->path);
	if (header->p_filesz > header->p_memsz || header->p_memsz > UINT64_MAX - header->p_vaddr)
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: the size of a segment makes no sense",
			       binary->path);

	r = array_grow(&binary->segments, binary->n_segments, sizeof(*binary->segments));
	if (r < 0)
		return r;
	binary->segments[binary->n_segments++] = (struct binary_segment){
		.address = header->p_vaddr,
		.file_offset = header->p_offset,
		.file_bytes = header->p_filesz,
		.memory_bytes = header->p_memsz,
		.executable = header->p_flags & PF_X,
	};
	return 0;
}

static int read_interpreter(struct binary *binary, const GElf_Phdr *header, struct why *why)
{
	char path[MAX_STRING_BYTES];
	ssize_t n;

	if (header->p_filesz == 0 || header->p_filesz > sizeof(path))
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: the name of its interpreter makes no sense",
			       binary->path);
	n = binary_read(binary, header->p_offset, path, header->p_filesz);
	if (n < 0)
		return why_set(why, n, "cannot read '%s'", binary->path);
	if (n != (ssize_t)header->p_filesz || !memchr(path, '\0', n))
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: the name of its interpreter has no end",
			       binary->path);

	free(binary->interpreter);
	binary->interpreter = strdup(path);
	return binary->interpreter ? 0 : -ENOMEM;
}

static int read_segments(struct binary *binary, struct why *why)
{
	size_t n, n_executable = 0;
	GElf_Phdr header;
	int r = 0;

	if (elf_getphdrnum(binary->elf, &n) < 0 || n > MAX_SEGMENTS)
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: the count of its segments makes no sense",
			       binary->path);

	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(binary->elf, i, &header))
			return why_say(why, -ENOEXEC, "'%s' is damaged: %s", binary->path,
				       elf_errmsg(-1));
		if (header.p_type == PT_LOAD)
			r = add_segment(binary, &header, why);
		else if (header.p_type == PT_INTERP)
			r = read_interpreter(binary, &header, why);
		if (r < 0)
			return r;
	}

	for (size_t i = 0; i < binary->n_segments; i++)
		n_executable += binary->segments[i].executable;
	if (!n_executable)
		return why_say(why, -ENOEXEC, "'%s' has no code", binary->path);
	return 0;
}

static bool find_segment(const struct binary *binary, uint64_t address, bool executable,
			 uint64_t *ret_offset, uint64_t *ret_left)
{
	for (size_t i = 0; i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];

		if (address < segment->address || address - segment->address >= segment->file_bytes)
			continue;
		if (executable && !segment->executable)
			continue;
		*ret_offset = segment->file_offset + (address - segment->address);
		*ret_left = segment->file_bytes - (address - segment->address);
		return true;
	}
	return false;
}

int binary_file_offset(const struct binary *binary, uint64_t address, uint64_t *ret_offset)
{
	uint64_t offset, left;

	if (!find_segment(binary, address, true, &offset, &left))
		return -ENOENT;
	*ret_offset = offset;
	return 0;
}

struct dynamic_strings {
	uint64_t offset, bytes; /* in the file */
};

static int read_dynamic_string(const struct binary *binary, const struct dynamic_strings *strings,
			       uint64_t at, char buffer[MAX_STRING_BYTES], struct why *why)
{
	size_t size = MAX_STRING_BYTES;
	ssize_t n;

	if (at >= strings->bytes)
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: a name lies outside of its dynamic string table",
			       binary->path);
	if (size > strings->bytes - at)
		size = strings->bytes - at;
	n = binary_read(binary, strings->offset + at, buffer, size);
	if (n < 0)
		return why_set(why, n, "cannot read '%s'", binary->path);
	if (!memchr(buffer, '\0', n))
		return why_say(why, -ENOEXEC,
			       "'%s' is damaged: a name in its dynamic string table has no end",
			       binary->path);
	return 0;
}

static int set_string(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int read_dynamic_entry(struct binary *binary, const struct dynamic_strings *strings,
			      const Elf64_Dyn *entry, struct why *why)
{
	char name[MAX_STRING_BYTES];
	int r;

	switch (entry->d_tag) {
	case DT_FLAGS_1:
		binary->is_program |= (entry->d_un.d_val & DF_1_PIE) != 0;
		return 0;
	case DT_NEEDED:
	case DT_SONAME:
	case DT_RUNPATH:
	case DT_RPATH:
		break;
	default:
		return 0;
	}

	r = read_dynamic_string(binary, strings, entry->d_un.d_val, name, why);
	if (r < 0)
		return r;
	if (entry->d_tag == DT_SONAME)
		return set_string(&binary->soname, name);
	if (entry->d_tag == DT_RUNPATH)
		return set_string(&binary->runpath, name);
	if (entry->d_tag == DT_RPATH)
		return set_string(&binary->rpath, name);
	if (binary->needed.n_items >= MAX_NEEDED)
		return why_say(why, -ENOEXEC, "'%s' is damaged: it needs more than %d libraries",
			       binary->path, MAX_NEEDED);
	return strings_add(&binary->needed, name);
}

static int find_dynamic_strings(const struct binary *binary, const Elf64_Dyn *entries, size_t n,
				struct dynamic_strings *ret_strings, struct why *why)
{
	uint64_t address = 0, size = 0, left;

	for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_STRTAB)
			address = entries[i].d_un.d_ptr;
		else if (entries[i].d_tag == DT_STRSZ)
			size = entries[i].d_un.d_val;
	}

	*ret_strings = (struct dynamic_strings){};
	if (size == 0)
		return 0;
	if (!find_segment(binary, address, false, &ret_strings->offset, &left) || size > left)
		return why_say(
			why, -ENOEXEC,
			"'%s' is damaged: its dynamic string table lies outside of its segments",
			binary->path);
	ret_strings->bytes = size;
	return 0;
}

static int read_dynamic(struct binary *binary, const GElf_Phdr *header, struct why *why)
{
	_cleanup_free_ Elf64_Dyn *entries = NULL;
	struct dynamic_strings strings;
	size_t n = header->p_filesz / sizeof(*entries);
	ssize_t size;
	int r;

	if (header->p_filesz > MAX_DYNAMIC_BYTES ||
	    !range_is_inside(header->p_offset, header->p_filesz, binary->size))
		return why_say(why, -ENOEXEC, "'%s' is damaged: its dynamic section makes no sense",
			       binary->path);
	if (n == 0)
		return 0;
	entries = calloc(n, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	size = binary_read(binary, header->p_offset, entries, n * sizeof(*entries));
	if (size < 0)
		return why_set(why, size, "cannot read '%s'", binary->path);
	n = size / sizeof(*entries);

	r = find_dynamic_strings(binary, entries, n, &strings, why);
	for (size_t i = 0; r == 0 && i < n && entries[i].d_tag != DT_NULL; i++)
		r = read_dynamic_entry(binary, &strings, &entries[i], why);
	return r;
}

static void write_hex(char *text, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* A file whose notes make no sense has no build id; it runs all the same. */
static void read_build_id(struct binary *binary, const GElf_Phdr *header)
{
	size_t at = 0, name_at, bytes_at;
	Elf_Data *data;
	GElf_Nhdr note;

	if (header->p_filesz > MAX_NOTE_BYTES ||
	    !range_is_inside(header->p_offset, header->p_filesz, binary->size))
		return;
	data = elf_getdata_rawchunk(binary->elf, header->p_offset, header->p_filesz,
				    header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	if (!data)
		return;

	while ((at = gelf_getnote(data, at, &note, &name_at, &bytes_at)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp((char *)data->d_buf + name_at, "GNU", sizeof("GNU")) != 0)
			continue;
		if (note.n_descsz == 0 || note.n_descsz > MAX_BUILD_ID_BYTES)
			return;
		write_hex(binary->build_id, (uint8_t *)data->d_buf + bytes_at, note.n_descsz);
		return;
	}
}

static int read_contents(struct binary *binary, struct why *why)
{
	GElf_Phdr header;
	size_t n;
	int r;

	if (elf_getphdrnum(binary->elf, &n) < 0)
		return -ENOEXEC;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(binary->elf, i, &header))
			return -ENOEXEC;
		if (header.p_type == PT_NOTE && !binary->build_id[0])
			read_build_id(binary, &header);
		if (header.p_type != PT_DYNAMIC)
			continue;
		r = read_dynamic(binary, &header, why);
		if (r < 0)
			return r;
	}

	if (binary->runpath) {
		free(binary->rpath);
		binary->rpath = NULL;
	}
	if (binary->interpreter && !binary->soname)
		binary->is_program = true;
	return 0;
}

/* By its sections; Go's linker always writes them, and strip(1) leaves them. */
static bool is_go(const struct binary *binary)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(binary->elf, &names) < 0)
		return false;
	while ((section = elf_nextscn(binary->elf, section))) {
		name = gelf_getshdr(section, &header)
			       ? elf_strptr(binary->elf, names, header.sh_name)
			       : NULL;
		if (name &&
		    (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0 ||
		     strcmp(name, ".gopclntab") == 0))
			return true;
	}
	return false;
}

/* What a link in /proc points to; false if it is none that says. */
static bool read_link(const char *link, char target[PATH_MAX])
{
	ssize_t n = readlink(link, target, PATH_MAX - 1);

	target[n > 0 ? n : 0] = '\0';
	return n > 0 && target[0] == '/';
}

static void drop_deleted(char *path)
{
	static const char deleted[] = " (deleted)";
	size_t size = strlen(path), n = strlen(deleted);

	if (size > n && strcmp(path + size - n, deleted) == 0)
		path[size - n] = '\0';
}

/*
 * What people call the file: /proc/PID/exe and map_files/RANGE are links whose own names say
 * nothing.
 */
static int read_name(struct binary *binary)
{
	char target[PATH_MAX], link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", binary->fd);
	read_link(link, target);
	binary->location = strdup(target);
	if (strncmp(binary->path, "/proc/", 6) == 0 && read_link(binary->path, target)) {
		drop_deleted(target);
		binary->name = strdup(text_file_name(target));
	} else {
		binary->name = strdup(text_file_name(binary->path));
	}
	return binary->name && binary->location ? 0 : -ENOMEM;
}

/* That it is a regular file, and by its first bytes one that can be traced. */
static int glance(struct binary *binary, struct why *why)
{
	struct stat status;

	if (fstat(binary->fd, &status) < 0)
		return why_set(why, -errno, "cannot read '%s'", binary->path);
	if (S_ISDIR(status.st_mode))
		return why_say(why, -EISDIR, "'%s' is a folder", binary->path);
	if (!S_ISREG(status.st_mode))
		return why_say(why, -ENOEXEC, "'%s' is not a regular file", binary->path);
	binary->dev = status.st_dev;
	binary->ino = status.st_ino;
	binary->size = status.st_size;
	return check_header(binary, why);
}

static int read_binary(struct binary *binary, struct why *why)
{
	int r;

	r = glance(binary, why);
	if (r < 0)
		return r;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return why_say(why, -ENOEXEC, "libelf is too old");
	binary->elf = elf_begin(binary->fd, ELF_C_READ, NULL);
	if (!binary->elf || elf_kind(binary->elf) != ELF_K_ELF)
		return why_say(why, -ENOEXEC, "'%s' is damaged: %s", binary->path, elf_errmsg(-1));

	r = check_tables(binary, why);
	if (r == 0)
		r = read_segments(binary, why);
	if (r == 0)
		r = read_contents(binary, why);
	if (r == 0)
		binary->is_go = is_go(binary);
	return r;
}

/* Takes the descriptor, also on failure. */
static int binary_new(int fd, const char *path, struct binary **ret_binary)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;

	binary = calloc(1, sizeof(*binary));
	if (!binary) {
		close(fd);
		return -ENOMEM;
	}
	binary->fd = fd;
	binary->pages = pages_new();
	binary->path = strdup(path);
	if (!binary->path)
		return -ENOMEM;
	*ret_binary = take_ptr(binary);
	return 0;
}

static int open_path(const char *path, int (*read)(struct binary *binary, struct why *why),
		     struct binary **ret_binary, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	int fd, r;

	/* not blocking: the path may be that of a pipe */
	fd = reach_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -ETIMEDOUT)
		return why_say(why, fd, "cannot open '%s': its file system does not answer", path);
	if (fd < 0)
		return why_set(why, fd, "cannot open '%s'", path);
	r = binary_new(fd, path, &binary);
	if (r == 0)
		r = read_name(binary);
	if (r == 0)
		r = read(binary, why);
	if (r == 0)
		*ret_binary = take_ptr(binary);
	return r;
}

int binary_open(const char *path, struct binary **ret_binary, struct why *why)
{
	return open_path(path, read_binary, ret_binary, why);
}

int binary_glance(const char *path, struct binary **ret_binary, struct why *why)
{
	return open_path(path, glance, ret_binary, why);
}

static int binary_copy(int fd, const char *path, struct binary **ret_binary, struct why *why)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return why_set(why, -errno, "cannot use the descriptor of '%s'", path);
	return binary_new(copy, path, ret_binary);
}

static int open_fd(int fd, const char *path, int (*read)(struct binary *binary, struct why *why),
		   struct binary **ret_binary, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	int r;

	r = binary_copy(fd, path, &binary, why);
	if (r == 0)
		r = read_name(binary);
	if (r == 0)
		r = read(binary, why);
	if (r == 0)
		*ret_binary = take_ptr(binary);
	return r;
}

int binary_open_fd(int fd, const char *path, struct binary **ret_binary, struct why *why)
{
	return open_fd(fd, path, read_binary, ret_binary, why);
}

int binary_glance_fd(int fd, const char *path, struct binary **ret_binary)
{
	return open_fd(fd, path, glance, ret_binary, NULL);
}

int binary_open_source(const struct binary_source *source, struct binary **ret_binary, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	int r;

	r = binary_copy(source->fd, source->path, &binary, why);
	if (r < 0)
		return r;
	binary->opener = source->opener;
	binary->name = strdup(source->name);
	binary->location = strdup(source->location);
	if (!binary->name || !binary->location)
		return -ENOMEM;
	r = read_binary(binary, why);
	if (r == 0)
		*ret_binary = take_ptr(binary);
	return r;
}

void binary_free(struct binary *binary)
{
	if (!binary)
		return;

	elf_end(binary->elf);
	pages_free(binary->pages);
	close(binary->fd);
	free(binary->segments);
	free(binary->rpath);
	free(binary->runpath);
	strings_done(&binary->needed);
	free(binary->interpreter);
	free(binary->soname);
	free(binary->location);
	free(binary->name);
	free(binary->path);
	free(binary);
}

static bool glob_matches_file(const char *glob, const char *name)
{
	char unversioned[256];
	const char *end = strstr(name, ".so.");

	if (text_glob(glob, name))
		return true;
	if (!end || end - name + 3 >= (ssize_t)sizeof(unversioned))
		return false;
	memcpy(unversioned, name, end - name + 3);
	unversioned[end - name + 3] = '\0';
	return text_glob(glob, unversioned);
}

/* "/proc/12/root/usr/bin/x" is /usr/bin/x to the process that runs it, and to people. */
static const char *without_root(const char *path)
{
	const char *p = path;

	if (strncmp(p, "/proc/", 6) != 0)
		return path;
	p += 6;
	while (isdigit((unsigned char)*p))
		p++;
	return strncmp(p, "/root/", 6) == 0 ? p + 5 : path;
}

bool binary_is_named(const char *glob, const char *path, const char *soname)
{
	if (strchr(glob, '/'))
		return glob_matches_file(glob, without_root(path));
	return glob_matches_file(glob, text_file_name(path)) ||
	       (soname && glob_matches_file(glob, soname));
}

const char *binary_module_path(const struct binary *binary)
{
	return strcmp(text_file_name(binary->path), binary->name) == 0 ? binary->path : binary->name;
}
