/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The text lies in one buffer at its offsets, and beside it the islands of it that have come, in
 * order and never touching each other. Pieces come in order as a rule: then there is one island,
 * which grows.
 *
 * A variable that lies across a gap is worse than one that is missing: of "MY_RANK=12" a piece may
 * begin with "RANK=12", or end with "MY_RANK=1". So what stands at the ragged end of an island is
 * not looked at.
 */
#include "trace/pieces.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define MAX_ISLANDS 64

struct island {
	uint32_t begin, end;
};

struct pieces {
	unsigned int n_owners;
	char *data; /* a '\0' follows the last island */
	size_t size;
	struct island *islands;
	size_t n_islands;
	bool has_last, is_cut;
	uint32_t end; /* of the last piece, once that has come */
};

int pieces_new(struct pieces **ret_pieces)
{
	struct pieces *pieces = calloc(1, sizeof(*pieces));

	if (!pieces)
		return -ENOMEM;
	pieces->n_owners = 1;
	*ret_pieces = pieces;
	return 0;
}

struct pieces *pieces_share(struct pieces *pieces)
{
	pieces->n_owners++;
	return pieces;
}

void pieces_free(struct pieces *pieces)
{
	if (!pieces || --pieces->n_owners)
		return;
	free(pieces->data);
	free(pieces->islands);
	free(pieces);
}

static int grow(struct pieces *pieces, size_t size)
{
	char *data;

	if (size <= pieces->size && pieces->data)
		return 0;
	data = realloc(pieces->data, size + 1);
	if (!data)
		return -ENOMEM;
	memset(data + pieces->size, 0, size + 1 - pieces->size);
	pieces->data = data;
	pieces->size = size;
	return 0;
}

/* The first island that ends at or behind the offset: the one to merge with, or to stand before. */
static size_t find_island(const struct pieces *pieces, uint32_t offset)
{
	size_t i = 0;

	while (i < pieces->n_islands && pieces->islands[i].end < offset)
		i++;
	return i;
}

static int add_island(struct pieces *pieces, struct island new)
{
	size_t at = find_island(pieces, new.begin), behind = at;
	struct island *island;
	int r = 0;

	for (; behind < pieces->n_islands && pieces->islands[behind].begin <= new.end; behind++) {
		island = &pieces->islands[behind];
		if (island->begin < new.begin)
			new.begin = island->begin;
		if (island->end > new.end)
			new.end = island->end;
	}
	if (behind == at && pieces->n_islands == MAX_ISLANDS)
		return -EBADMSG;
	if (behind == at)
		r = array_grow(&pieces->islands, pieces->n_islands, sizeof(*island));
	if (r < 0)
		return r;
	island = &pieces->islands[at];
	memmove(island + 1, &pieces->islands[behind],
		(pieces->n_islands - behind) * sizeof(*island));
	*island = new;
	pieces->n_islands += at + 1 - behind;
	return 0;
}

int pieces_add(struct pieces *pieces, const struct pf_process_text *text)
{
	struct island new = {text->offset, text->offset + text->bytes};
	int r;

	if (text->bytes > PF_TEXT_BYTES ||
	    text->offset + (size_t)text->bytes > PF_MAX_ENVIRONMENT_BYTES)
		return -EBADMSG;
	r = grow(pieces, new.end);
	if (r == 0 && text->bytes)
		r = add_island(pieces, new);
	if (r < 0)
		return r;
	memcpy(pieces->data + new.begin, text->text, text->bytes);
	if (text->is_last) {
		pieces->has_last = true;
		pieces->is_cut = text->is_cut;
		pieces->end = new.end;
	}
	return 0;
}

/* How much is there from the beginning on. */
static size_t first_bytes(const struct pieces *pieces)
{
	return pieces->n_islands && pieces->islands[0].begin == 0 ? pieces->islands[0].end : 0;
}

bool pieces_have_ended(const struct pieces *pieces)
{
	return pieces->has_last && first_bytes(pieces) >= pieces->end;
}

bool pieces_are_cut(const struct pieces *pieces)
{
	return pieces->is_cut;
}

/* Whether the text ends there, so that nothing is missing of what stands before. */
static bool is_end(const struct pieces *pieces, size_t offset)
{
	return pieces->has_last && !pieces->is_cut && offset == pieces->end;
}

/* The string at the offset; *ret_next is behind it. NULL if it has no end in this island. */
static const char *string_at(const struct pieces *pieces, size_t offset, size_t island_end,
			     size_t *ret_next)
{
	const char *string = pieces->data + offset,
		   *end = memchr(string, '\0', island_end - offset);

	*ret_next = end ? (size_t)(end + 1 - pieces->data) : island_end;
	return end || is_end(pieces, island_end) ? string : NULL;
}

const char *pieces_next_variable(const struct pieces *pieces, size_t *cursor)
{
	for (size_t i = find_island(pieces, *cursor + 1); i < pieces->n_islands; i++) {
		const struct island *island = &pieces->islands[i];

		if (*cursor <= island->begin) {
			*cursor = island->begin;
			if (island->begin > 0) /* what it begins with began in the gap */
				string_at(pieces, island->begin, island->end, cursor);
		}
		while (*cursor < island->end) {
			const char *variable = string_at(pieces, *cursor, island->end, cursor);

			if (variable && strchr(variable, '='))
				return variable;
		}
	}
	return NULL;
}

const char *pieces_variable(const struct pieces *pieces, const char *name)
{
	size_t length = strlen(name), cursor = 0;
	const char *variable;

	while ((variable = pieces_next_variable(pieces, &cursor)))
		if (strncmp(variable, name, length) == 0 && variable[length] == '=')
			return variable + length + 1;
	return NULL;
}

/* Parts that are nothing but the root, as the kernel names it, do not count. */
static bool is_part(const char *part)
{
	return part[0] && strcmp(part, "/") != 0;
}

/* Writes the path backwards, from the end of the buffer on; returns where it begins. */
static char *write_path(const struct pieces *pieces, size_t size, char *end)
{
	const char *part;
	size_t length;

	*--end = '\0';
	for (size_t at = 0; at < size;) {
		part = string_at(pieces, at, size, &at);
		if (!part || !is_part(part))
			continue;
		length = strlen(part);
		end -= length;
		memcpy(end, part, length);
		*--end = '/';
	}
	return end;
}

int pieces_path(const struct pieces *pieces, char **ret_path)
{
	bool is_whole = pieces_have_ended(pieces) && !pieces->is_cut;
	size_t size = first_bytes(pieces), room = size + 2;
	_cleanup_free_ char *buffer = NULL;
	char *path;

	if (!is_whole && !size)
		return -ENODATA;
	buffer = malloc(room);
	if (!buffer)
		return -ENOMEM;
	path = write_path(pieces, size, buffer + room);
	if (!*path && !is_whole)
		return -ENODATA;
	if (asprintf(ret_path, "%s%s", is_whole ? "" : "...", *path ? path : "/") < 0)
		return -ENOMEM;
	return 0;
}
