/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A note has the addresses of the probe, of .stapsdt.base when it was linked, and of its semaphore,
 * and three strings. Tools that move a binary's addresses afterwards (prelink) move the section
 * .stapsdt.base too but not what notes say, so the difference is added. The notes are walked here
 * and not by libelf, since the section is copied anyway and every length in it is checked against
 * the copy.
 */
#include "binary/usdt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binary/section.h"

#define MAX_NOTES_BYTES (64U << 20)
#define MAX_PROBES	(1U << 20)
#define NOTE_TYPE	3

struct reader {
	const struct binary *binary;
	struct usdt_probes *probes;
	uint64_t base; /* where .stapsdt.base is, 0 if nowhere */
	struct why *why;
};

struct addresses {
	uint64_t location, base, semaphore;
};

void usdt_done(struct usdt_probes *probes)
{
	free(probes->items);
	free(probes->text);
	*probes = (struct usdt_probes){};
}

/* A semaphore is data, so its segment is not executable. */
static uint64_t semaphore_offset(const struct binary *binary, uint64_t address)
{
	for (size_t i = 0; address && i < binary->n_segments; i++) {
		const struct binary_segment *segment = &binary->segments[i];

		if (address >= segment->address && address - segment->address < segment->file_bytes)
			return segment->file_offset + (address - segment->address);
	}
	return 0;
}

/* The string at *p, which goes behind its end; NULL if it has none before `end`. */
static const char *take_string(const char **p, const char *end)
{
	const char *text = *p, *zero = memchr(text, '\0', (size_t)(end - text));

	if (!zero)
		return NULL;
	*p = zero + 1;
	return text;
}

static int add_probe(struct reader *reader, const struct usdt_probe *probe)
{
	struct usdt_probes *probes = reader->probes;
	int r;

	if (probes->n_items == MAX_PROBES)
		return why_say(reader->why, -ENOEXEC, "'%s' has too many static probes",
			       reader->binary->path);
	r = array_grow(&probes->items, probes->n_items, sizeof(*probe));
	if (r < 0)
		return r;
	probes->items[probes->n_items++] = *probe;
	return 0;
}

static int read_probe(struct reader *reader, const char *p, const char *end)
{
	struct usdt_probe probe = {};
	struct addresses addresses;
	uint64_t moved = 0;

	if ((size_t)(end - p) < sizeof(addresses))
		return 0;
	memcpy(&addresses, p, sizeof(addresses));
	p += sizeof(addresses);
	probe.provider = take_string(&p, end);
	probe.name = probe.provider ? take_string(&p, end) : NULL;
	if (!probe.name || !probe.provider[0] || !probe.name[0])
		return 0;
	probe.arguments = take_string(&p, end);
	if (!probe.arguments)
		probe.arguments = "";

	if (reader->base && addresses.base)
		moved = reader->base - addresses.base;
	probe.address = addresses.location + moved;
	if (binary_file_offset(reader->binary, probe.address, &probe.file_offset) < 0)
		return 0;
	if (addresses.semaphore)
		probe.semaphore_offset =
			semaphore_offset(reader->binary, addresses.semaphore + moved);
	return add_probe(reader, &probe);
}

static size_t aligned(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static int read_notes(struct reader *reader, const char *notes, size_t size)
{
	static const char owner[] = "stapsdt";
	size_t at = 0, name_size, data_size;
	GElf_Nhdr header;
	int r = 0;

	while (r == 0 && size - at >= sizeof(header)) {
		memcpy(&header, notes + at, sizeof(header));
		at += sizeof(header);
		name_size = aligned(header.n_namesz);
		if (name_size > size - at)
			break;
		/* the padding of the last one may be missing */
		data_size = header.n_descsz;
		if (data_size > size - at - name_size)
			break;
		if (header.n_type == NOTE_TYPE && header.n_namesz == sizeof(owner) &&
		    memcmp(notes + at, owner, sizeof(owner)) == 0)
			r = read_probe(reader, notes + at + name_size,
				       notes + at + name_size + data_size);
		at += name_size;
		at += aligned(data_size) < size - at ? aligned(data_size) : size - at;
	}
	return r;
}

static int by_address(const void *a, const void *b)
{
	const struct usdt_probe *left = a, *right = b;
	int r;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	r = strcmp(left->provider, right->provider);
	return r ? r : strcmp(left->name, right->name);
}

int usdt_read(const struct binary *binary, struct usdt_probes *ret_probes, struct why *why)
{
	_cleanup_(usdt_done) struct usdt_probes probes = {};
	struct reader reader = {.binary = binary, .probes = &probes, .why = why};
	GElf_Shdr base;
	void *notes;
	size_t size;
	int r;

	r = section_copy(binary->elf, ".note.stapsdt", MAX_NOTES_BYTES, &notes, &size);
	if (r == -ENOENT) {
		*ret_probes = (struct usdt_probes){};
		return 0;
	}
	if (r < 0)
		return r;
	probes.text = notes;
	if (section_find(binary->elf, ".stapsdt.base", &base))
		reader.base = base.sh_addr;
	r = read_notes(&reader, notes, size);
	if (r < 0)
		return r;
	if (probes.n_items)
		qsort(probes.items, probes.n_items, sizeof(*probes.items), by_address);
	*ret_probes = probes;
	probes = (struct usdt_probes){};
	return 0;
}
