/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * include/perfflow/annotation.h has two ways to leave an annotation in the binary. A section of
 * code with the annotation for a name: all functions in it have it.
 *
 * And notes among the read-only data, of which each says what stands in a line of a file, while the
 * debug information says which functions are aligned to 8 bytes by hand: those are annotated. A
 * function's note is the last one in its file that stands before its name, or in the same line, if
 * no other annotated function comes between. Notes of functions that nobody calls remain, and are
 * nobody's. A function that has no note of its own was annotated elsewhere, in a declaration: it
 * has the one annotation that all notes agree on, or else nobody can tell.
 */
#include "binary/annotated.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary/annotation.h"
#include "binary/section.h"
#include "binary/sorted.h"
#include "binary/subprogram.h"

#define MAX_RANGES	65536
#define MAX_NOTES	65536
#define MAX_FILES	1024
#define MAX_STEPS	8 /* from a function to the declaration that it came from */
#define NOTE_FILE_BYTES 48
#define NOTE_TEXT_BYTES 64
#define MAGIC		"perfflow note 1\n"
#define ALIGNMENT	8
#define NO_FILE		SIZE_MAX

struct range { /* of addresses: a section */
	uint64_t start, size;
	const char *annotation, *fault;
};

enum { HAS_SCOPE = 1, TEXT_IS_CUT = 2, FILE_IS_CUT = 4 };

struct note { /* as in include/perfflow/annotation.h */
	char magic[16];
	uint32_t line;
	uint16_t kind, flags;
	char file[NOTE_FILE_BYTES], text[NOTE_TEXT_BYTES];
};
_Static_assert(sizeof(struct note) == 136, "programs have it");

struct file { /* the end of its path, as the compiler was given it */
	char path[NOTE_FILE_BYTES + 1];
	bool is_cut;
};

struct written { /* a note */
	size_t file;
	uint32_t line;
	const char *annotation, *fault;
};

struct place { /* of an annotated function in the source */
	uint64_t address;
	size_t file; /* or NO_FILE */
	uint32_t line;
};

struct finder {
	const struct binary *binary;
	const struct symbols *symbols;
	struct annotated *annotated;
	struct range *ranges; /* by start */
	size_t n_ranges;
	struct file *files;
	size_t n_files;
	struct written *notes; /* by file, then by line */
	size_t n_notes;
	struct place *places; /* the same */
	size_t n_places;
	const char
		*last_path; /* that was looked for among the files, as a pointer, and what it was */
	size_t last_file;
};

/* A copy that lives as long as the result. */
static int keep(struct finder *finder, const char *text, const char **ret_kept)
{
	struct strings *texts = &finder->annotated->texts;
	int r = strings_add(texts, text);

	if (r == 0)
		*ret_kept = texts->items[texts->n_items - 1];
	return r;
}

static int keep_with_fault(struct finder *finder, const char *text, const char **ret_annotation,
			   const char **ret_fault)
{
	struct annotation annotation = {};
	struct why why = {};
	int r;

	*ret_fault = NULL;
	r = annotation_parse(text, &annotation, &why);
	annotation_done(&annotation);
	if (r == -EINVAL)
		r = keep(finder, why.text, ret_fault);
	return r < 0 ? r : keep(finder, text, ret_annotation);
}

static int add_function(struct finder *finder, uint64_t address, const char *annotation,
			const char *fault)
{
	struct annotated *annotated = finder->annotated;
	int r = array_grow(&annotated->items, annotated->n_items, sizeof(*annotated->items));

	if (r == 0)
		annotated->items[annotated->n_items++] =
			(struct annotated_function){address, annotation, fault};
	return r;
}

static int add_range(struct finder *finder, const GElf_Shdr *header, const char *name)
{
	struct range range = {.start = header->sh_addr, .size = header->sh_size};
	int r;

	if (finder->n_ranges == MAX_RANGES)
		return 0;
	r = array_grow(&finder->ranges, finder->n_ranges, sizeof(range));
	if (r == 0)
		r = keep_with_fault(finder, name, &range.annotation, &range.fault);
	if (r == 0)
		finder->ranges[finder->n_ranges++] = range;
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static int find_sections(struct finder *finder)
{
	Elf *elf = finder->binary->elf;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t names;
	int r = 0;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return 0;
	while (r == 0 && (section = elf_nextscn(elf, section)) && gelf_getshdr(section, &header)) {
		name = header.sh_flags & SHF_EXECINSTR ? elf_strptr(elf, names, header.sh_name)
						       : NULL;
		if (name && annotation_is_ours(name))
			r = add_range(finder, &header, name);
	}
	if (finder->n_ranges)
		qsort(finder->ranges, finder->n_ranges, sizeof(*finder->ranges), by_start);
	return r;
}

static bool is_another_name(const struct symbols *symbols, size_t i)
{
	return i > 0 && symbols->items[i].address == symbols->items[i - 1].address;
}

static int add_functions_of_sections(struct finder *finder)
{
	const struct symbols *symbols = finder->symbols;
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items && finder->n_ranges; i++) {
		uint64_t address = symbols->items[i].address;
		size_t n = sorted_until(finder->ranges, finder->n_ranges, start, address);
		const struct range *range = n ? &finder->ranges[n - 1] : NULL;

		if (range && address - range->start < range->size && !is_another_name(symbols, i))
			r = add_function(finder, address, range->annotation, range->fault);
	}
	return r;
}

static int find_file(struct finder *finder, const struct note *note, size_t *ret_file)
{
	struct file file = {.is_cut = note->flags & FILE_IS_CUT};
	int r;

	memcpy(file.path, note->file, NOTE_FILE_BYTES);
	for (size_t i = 0; i < finder->n_files; i++) {
		*ret_file = i;
		if (strcmp(finder->files[i].path, file.path) == 0)
			return 0;
	}
	*ret_file = NO_FILE;
	if (finder->n_files == MAX_FILES)
		return 0;
	r = array_grow(&finder->files, finder->n_files, sizeof(file));
	if (r < 0)
		return r;
	*ret_file = finder->n_files;
	finder->files[finder->n_files++] = file;
	return 0;
}

/* The annotation as a note has it, as far as it was kept. */
static void describe(const struct note *note, char text[static 256])
{
	unsigned int kind = note->kind - 1U, pointcut = kind / ANNOTATION_N_FLOWS;
	const char *flow = annotation_flow_name((enum annotation_flow)(kind % ANNOTATION_N_FLOWS));
	char scope[NOTE_TEXT_BYTES + 16] = "";

	if (note->kind == 0 || note->flags & HAS_SCOPE)
		snprintf(scope, sizeof(scope), "%.*s%s", NOTE_TEXT_BYTES, note->text,
			 note->flags & TEXT_IS_CUT ? "..." : "");
	if (note->kind == 0) /* malformed: all of it was kept */
		snprintf(text, 256, "%s", scope);
	else
		snprintf(text, 256, "@critical_path(pointcut='%s'%s%s%s%s%s%s)",
			 annotation_pointcut_name((enum annotation_pointcut)pointcut),
			 note->flags & HAS_SCOPE ? ", scope='" : "", scope,
			 note->flags & HAS_SCOPE ? "'" : "", flow ? ", flow='" : "", flow ?: "",
			 flow ? "'" : "");
}

static int add_note(struct finder *finder, const struct note *note)
{
	struct written written = {.line = note->line};
	char text[256], fault[300];
	int r;

	if (finder->n_notes == MAX_NOTES ||
	    note->kind > ANNOTATION_N_POINTCUTS * ANNOTATION_N_FLOWS)
		return 0;
	r = find_file(finder, note, &written.file);
	if (r < 0)
		return r;
	describe(note, text);
	r = keep_with_fault(finder, text, &written.annotation, &written.fault);
	if (r == 0 && note->kind == 0 && !written.fault) { /* what is wrong was cut off */
		snprintf(fault, sizeof(fault), "Ignoring %s: it is malformed", text);
		r = keep(finder, fault, &written.fault);
	}
	if (r == 0)
		r = array_grow(&finder->notes, finder->n_notes, sizeof(written));
	if (r == 0)
		finder->notes[finder->n_notes++] = written;
	return r;
}

static int take_notes(struct finder *finder, const char *bytes, size_t size)
{
	const char *end = bytes + size, *p = bytes;
	struct note note;
	int r = 0;

	while (r == 0 && (p = memmem(p, (size_t)(end - p), MAGIC, sizeof(note.magic))) &&
	       (size_t)(end - p) >= sizeof(note)) {
		memcpy(&note, p, sizeof(note));
		p += sizeof(note);
		r = add_note(finder, &note);
	}
	return r;
}

static int compare(size_t left_file, size_t right_file, uint32_t left_line, uint32_t right_line)
{
	if (left_file != right_file)
		return left_file < right_file ? -1 : 1;
	return (left_line > right_line) - (left_line < right_line);
}

static int note_by_place(const void *a, const void *b)
{
	const struct written *left = a, *right = b;

	return compare(left->file, right->file, left->line, right->line);
}

static int read_notes(struct finder *finder)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf_Data *data;
	int r = 0;

	while (r == 0 && (section = elf_nextscn(finder->binary->elf, section)) &&
	       gelf_getshdr(section, &header)) {
		if (header.sh_type != SHT_PROGBITS ||
		    (header.sh_flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR)) != SHF_ALLOC)
			continue;
		data = elf_rawdata(section, NULL);
		if (data && data->d_buf)
			r = take_notes(finder, data->d_buf, data->d_size);
	}
	if (finder->n_notes)
		qsort(finder->notes, finder->n_notes, sizeof(*finder->notes), note_by_place);
	return r;
}

/* Goes to the declaration of the function that was aligned by hand, if one was. */
static bool find_aligned(Dwarf_Die *function)
{
	Dwarf_Word alignment;
	Dwarf_Attribute attribute;
	Dwarf_Die origin;

	for (int i = 0; i < MAX_STEPS; i++) {
		if (dwarf_formudata(dwarf_attr(function, DW_AT_alignment, &attribute),
				    &alignment) == 0)
			return alignment == ALIGNMENT;
		if (!dwarf_formref_die(dwarf_attr(function, DW_AT_abstract_origin, &attribute),
				       &origin) &&
		    !dwarf_formref_die(dwarf_attr(function, DW_AT_specification, &attribute),
				       &origin))
			return false;
		*function = origin;
	}
	return false;
}

static bool is_of(const struct file *file, const char *path)
{
	size_t size = strlen(path), n;
	const char *end = file->path;

	while (!file->is_cut && (strncmp(end, "./", 2) == 0 || strncmp(end, "../", 3) == 0))
		end += end[1] == '/' ? 2 : 3;
	n = strlen(end);
	if (n > size || memcmp(path + size - n, end, n) != 0)
		return false;
	return file->is_cut || n == size || end[0] == '/' || path[size - n - 1] == '/';
}

static size_t file_of(struct finder *finder, const char *path)
{
	if (path == finder->last_path)
		return finder->last_file;
	finder->last_path = path;
	finder->last_file = NO_FILE;
	for (size_t i = 0; i < finder->n_files && finder->last_file == NO_FILE; i++) {
		if (is_of(&finder->files[i], path))
			finder->last_file = i;
	}
	return finder->last_file;
}

/* Where its name stands; of a lambda, which has none, where it begins. */
static bool find_in_source(Dwarf_Die *declaration, Dwarf_Die *function, uint64_t address,
			   const char **ret_path, int *ret_line)
{
	Dwarf_Line *line;
	Dwarf_Die unit;

	*ret_path = dwarf_decl_file(declaration);
	if (*ret_path && dwarf_decl_line(declaration, ret_line) == 0)
		return true;
	line = dwarf_diecu(function, &unit, NULL, NULL) ? dwarf_getsrc_die(&unit, address) : NULL;
	*ret_path = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	return *ret_path && dwarf_lineno(line, ret_line) == 0;
}

static int add_place(struct finder *finder, uint64_t address, Dwarf_Die *declaration,
		     Dwarf_Die *function)
{
	struct place place = {.address = address, .file = NO_FILE};
	const char *path;
	int line, r;

	if (find_in_source(declaration, function, address, &path, &line)) {
		place.file = file_of(finder, path);
		place.line = (uint32_t)line;
	}
	r = array_grow(&finder->places, finder->n_places, sizeof(place));
	if (r == 0)
		finder->places[finder->n_places++] = place;
	return r;
}

static int place_by_place(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return compare(left->file, right->file, left->line, right->line);
}

static int find_places(struct finder *finder, struct subprograms *subprograms)
{
	const struct symbols *symbols = finder->symbols;
	Dwarf_Die function, declaration;
	int r = 0;

	for (size_t i = 0; r == 0 && i < symbols->n_items; i++) {
		const struct symbol *symbol = &symbols->items[i];

		if (is_another_name(symbols, i))
			continue;
		function = (Dwarf_Die){};
		r = subprograms_find(subprograms, symbol->address, symbol->linker_name, &function);
		declaration = function;
		if (r == 0 && find_aligned(&declaration))
			r = add_place(finder, symbol->address, &declaration, &function);
		if (r == -ENOENT)
			r = 0;
	}
	if (finder->n_places)
		qsort(finder->places, finder->n_places, sizeof(*finder->places), place_by_place);
	return r;
}

/* The one that all notes from first to last are, or NULL. */
static const struct written *agreed(const struct written *first, const struct written *last)
{
	for (const struct written *note = first; note < last; note++) {
		if (strcmp(note->annotation, last->annotation) != 0)
			return NULL;
	}
	return last;
}

/*
 * The note of the functions in a place; before is the place of the annotated functions in front of
 * them, or NULL. NULL: it cannot be told.
 */
static const struct written *note_of(const struct finder *finder, const struct place *place,
				     const struct place *before)
{
	const struct written wanted = {.file = place->file, .line = place->line},
			     *first = finder->notes, *last;
	size_t low = 0, high = finder->n_notes, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (note_by_place(&finder->notes[middle], &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	last = low ? &finder->notes[low - 1] : NULL;
	if (!last || last->file != place->file ||
	    (before && before->file == place->file && last->line <= before->line))
		return agreed(first, first + finder->n_notes - 1);
	for (first = last; first > finder->notes && note_by_place(first - 1, last) == 0; first--)
		;
	return agreed(first, last);
}

static int add_functions_of_notes(struct finder *finder)
{
	const char *unknown = NULL;
	const struct place *before = NULL, *same = NULL;
	const struct written *note = NULL;
	int r;

	r = keep(finder,
		 "Ignoring its annotation: it stands on a declaration elsewhere, or in a line with "
		 "others",
		 &unknown);
	for (size_t i = 0; r == 0 && i < finder->n_places; i++) {
		const struct place *place = &finder->places[i];

		if (!same || place_by_place(same, place) != 0) {
			before = same;
			same = place;
			note = note_of(finder, place, before);
		}
		r = add_function(finder, place->address, note ? note->annotation : "@critical_path",
				 note ? note->fault : unknown);
	}
	return r;
}

/* Why the annotations of notes are nobody's. */
static int explain(struct finder *finder, const char *reason)
{
	char fault[sizeof(((struct why *)NULL)->text) + 64];

	snprintf(fault, sizeof(fault), "Ignoring the annotations that g++ compiled: %s", reason);
	return keep(finder, fault, &finder->annotated->fault);
}

static int find_notes(struct finder *finder)
{
	_cleanup_(subprograms_closep) struct subprograms *subprograms = NULL;
	struct why why = {};
	int r;

	r = read_notes(finder);
	if (r < 0 || finder->n_notes == 0)
		return r;
	r = subprograms_open(finder->binary, &subprograms, &why);
	if (r < 0)
		return r == -ENOMEM ? r : explain(finder, why_text(&why, r));
	r = find_places(finder, subprograms);
	if (r == 0 && finder->n_places == 0)
		return explain(finder, "no function that the debug information tells of has one");
	return r < 0 ? r : add_functions_of_notes(finder);
}

static int by_address(const void *a, const void *b)
{
	const struct annotated_function *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

int annotated_read(const struct binary *binary, const struct symbols *symbols,
		   struct annotated *ret_annotated)
{
	_cleanup_(annotated_done) struct annotated annotated = {};
	struct finder finder = {.binary = binary, .symbols = symbols, .annotated = &annotated};
	int r;

	r = find_sections(&finder);
	if (r == 0)
		r = add_functions_of_sections(&finder);
	if (r == 0)
		r = find_notes(&finder);
	free(finder.places);
	free(finder.notes);
	free(finder.files);
	free(finder.ranges);
	if (r < 0)
		return r;

	if (annotated.n_items)
		qsort(annotated.items, annotated.n_items, sizeof(*annotated.items), by_address);
	*ret_annotated = annotated;
	annotated = (struct annotated){};
	return 0;
}

void annotated_done(struct annotated *annotated)
{
	free(annotated->items);
	strings_done(&annotated->texts);
	*annotated = (struct annotated){};
}

const struct annotated_function *annotated_find(const struct annotated *annotated, uint64_t address)
{
	size_t n = sorted_until(annotated->items, annotated->n_items, address, address);

	return n && annotated->items[n - 1].address == address ? &annotated->items[n - 1] : NULL;
}
