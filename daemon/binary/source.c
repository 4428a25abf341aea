/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * All line tables are gone through once, and of each only the rows at which a function begins are
 * kept: the index of a binary has a few bytes a function, whatever the size of its debug
 * information. To look addresses up one by one would need .debug_aranges, which clang leaves out,
 * and would keep every table in memory.
 *
 * libdw keeps what it has decoded until its handle is closed, so the handle is closed and opened
 * anew whenever many rows have come together. The file is read, not mapped: one that is cut off
 * meanwhile gives an error instead of SIGBUS.
 */
#include "binary/source.h"

#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "binary/debugfile.h"
#include "util/hash.h"

#define MAX_FILE_BYTES (4ULL << 30)
#define MAX_ROWS_HELD  (1U << 20)
#define MAX_ROWS                                                                                   \
	(400ULL << 20) /* looked at in all: tables may be shared, and asked for without end */
#define MAX_PATH_BYTES 4096

struct place {
	uint64_t address;
	const char *path; /* NULL: not known */
	unsigned int line;
};

struct source {
	struct place *places; /* one a function, by address */
	size_t n_places;
	struct strings paths;
	struct hash by_path; /* of the bytes of a path: to the path in paths */
};

struct walk {
	struct source *source;
	Elf *elf;
	Dwarf *dwarf;
	size_t n_held; /* rows since dwarf was opened */
	uint64_t n_seen;
};

void source_close(struct source *source)
{
	if (!source)
		return;

	hash_done(&source->by_path);
	strings_done(&source->paths);
	free(source->places);
	free(source);
}

/* The first function at or behind an address. */
static size_t lower_bound(const struct source *source, size_t from, uint64_t address)
{
	size_t low = from, high = source->n_places, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (source->places[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int source_find(const struct source *source, uint64_t address, const char **ret_path,
		unsigned int *ret_line)
{
	size_t i = lower_bound(source, 0, address);

	if (i == source->n_places || source->places[i].address != address ||
	    !source->places[i].path)
		return -ENOENT;
	*ret_path = source->places[i].path;
	*ret_line = source->places[i].line;
	return 0;
}

/* Our own copy of a path, one for all functions of a file. */
static int intern(struct source *source, const char *path, const char **ret_path)
{
	size_t size = strnlen(path, MAX_PATH_BYTES);
	uint64_t key = hash_bytes(path, size);
	char *known = hash_find(&source->by_path, key);
	int r;

	if (size == MAX_PATH_BYTES)
		return -ENOENT;
	if (known && strcmp(known, path) == 0) {
		*ret_path = known;
		return 0;
	}
	r = strings_add(&source->paths, path);
	if (r < 0)
		return r;
	*ret_path = source->paths.items[source->paths.n_items - 1];
	return hash_put(&source->by_path, key, source->paths.items[source->paths.n_items - 1]);
}

/* The first row of a function that tells a line counts. */
static int take_row(struct source *source, struct place *place, Dwarf_Line *row)
{
	const char *path;
	int line, r;

	if (place->path || dwarf_lineno(row, &line) != 0 || line <= 0)
		return 0;
	path = dwarf_linesrc(row, NULL, NULL);
	if (!path)
		return 0;
	r = intern(source, path, &path);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	place->path = path;
	place->line = (unsigned int)line;
	return 0;
}

/* The rows come sorted by address. */
static int take_rows(struct source *source, Dwarf_Lines *rows, size_t n)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		Dwarf_Line *row = dwarf_onesrcline(rows, i);
		Dwarf_Addr address;
		bool is_end;

		if (!row || dwarf_lineaddr(row, &address) != 0 ||
		    dwarf_lineendsequence(row, &is_end) != 0 || is_end)
			continue;
		if (at > 0 && source->places[at - 1].address >= address)
			at = 0;
		if (at < source->n_places && source->places[at].address < address)
			at = lower_bound(source, at, address);
		if (at < source->n_places && source->places[at].address == address)
			r = take_row(source, &source->places[at], row);
	}
	return r;
}

static int reopen(struct walk *walk)
{
	dwarf_end(walk->dwarf);
	walk->dwarf = dwarf_begin_elf(walk->elf, DWARF_C_READ, NULL);
	walk->n_held = 0;
	return walk->dwarf ? 0 : -ENODATA;
}

/* A unit that is damaged is passed over. */
static int take_unit(struct walk *walk, Dwarf_Off offset)
{
	Dwarf_Lines *rows;
	Dwarf_Die unit;
	size_t n;
	int r;

	if (!dwarf_offdie(walk->dwarf, offset, &unit) || dwarf_getsrclines(&unit, &rows, &n) != 0)
		return 0;
	r = take_rows(walk->source, rows, n);
	walk->n_held += n;
	walk->n_seen += n;
	if (r == 0 && walk->n_held > MAX_ROWS_HELD)
		r = reopen(walk);
	return r;
}

static int take_units(struct walk *walk)
{
	Dwarf_Off offset = 0, next;
	size_t header_size, n_units = 0;
	int r = 0;

	while (r == 0 && walk->n_seen < MAX_ROWS &&
	       dwarf_nextcu(walk->dwarf, offset, &next, &header_size, NULL, NULL, NULL) == 0) {
		if (next <= offset)
			break;
		r = take_unit(walk, offset + header_size);
		offset = next;
		n_units++;
	}
	return r == 0 && n_units == 0 ? -ENODATA : r;
}

static int walk_elf(struct source *source, Elf *elf)
{
	struct walk walk = {.source = source, .elf = elf};
	int r;

	r = reopen(&walk);
	if (r == 0)
		r = take_units(&walk);
	dwarf_end(walk.dwarf);
	return r;
}

/* In a handle of its own, which gives the memory back that the sections take. */
static int walk_descriptor(struct source *source, int fd)
{
	struct stat status;
	Elf *elf;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size > (off_t)MAX_FILE_BYTES)
		return -EFBIG;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	r = elf ? walk_elf(source, elf) : -ENODATA;
	elf_end(elf);
	return r;
}

static int walk_debug_file(struct source *source, const struct binary *binary)
{
	struct debug_file file;
	int r;

	r = debug_file_open(binary, &file);
	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	r = walk_descriptor(source, file.fd);
	debug_file_close(&file);
	return r;
}

static int add_places(struct source *source, const struct symbols *symbols)
{
	source->places = calloc(symbols->n_items + 1, sizeof(*source->places));
	if (!source->places)
		return -ENOMEM;
	for (size_t i = 0; i < symbols->n_items; i++) {
		if (i == 0 || symbols->items[i].address != symbols->items[i - 1].address)
			source->places[source->n_places++].address = symbols->items[i].address;
	}
	return 0;
}

int source_open(const struct binary *binary, const struct symbols *symbols,
		struct source **ret_source)
{
	_cleanup_(source_closep) struct source *source = NULL;
	int r;

	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	r = add_places(source, symbols);
	if (r == 0)
		r = walk_descriptor(source, binary->fd);
	if (r == -ENODATA)
		r = walk_debug_file(source, binary);
	if (r < 0)
		return r;
	*ret_source = take_ptr(source);
	return 0;
}
