/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A gzip file may have several members: pigz and `cat a.gz b.gz` make such. The kind is told from
 * the first bytes and not from the name, since standard input has none.
 *
 * A member that is cut off gives what zlib can unpack of it: a trace of ours is one member without
 * flush points, so that is all but the end of its last block.
 */
#include "reader/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PACKED_BYTES	 (64 * 1024)
#define GZIP_WINDOW_BITS (15 + 16) /* the largest window, with a gzip header */

enum kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP };

struct input {
	int fd;
	char *name;
	enum kind kind;
	uint64_t n_read;       /* bytes of the file */
	unsigned char *packed; /* PACKED_BYTES; what was read and not yet taken: */
	size_t begin, end;
	bool is_at_end;	  /* of the file */
	bool is_inside;	  /* of a gzip member */
	z_stream zlib;	  /* initialised for KIND_GZIP */
	char damage[160]; /* empty: none */
};

int input_open(const char *path, struct input **ret_input, struct why *why)
{
	_cleanup_(input_freep) struct input *input = NULL;
	bool is_stdin = strcmp(path, "-") == 0;

	input = calloc(1, sizeof(*input));
	if (!input)
		return -ENOMEM;
	input->fd = -1;
	input->name = strdup(is_stdin ? "standard input" : path);
	input->packed = malloc(PACKED_BYTES);
	if (!input->name || !input->packed)
		return -ENOMEM;

	input->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			     : open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0)
		return why_set(why, -errno, "cannot open '%s'", input->name);

	*ret_input = take_ptr(input);
	return 0;
}

void input_free(struct input *input)
{
	if (!input)
		return;
	if (input->kind == KIND_GZIP)
		inflateEnd(&input->zlib);
	if (input->fd >= 0)
		close(input->fd);
	free(input->packed);
	free(input->name);
	free(input);
}

static ssize_t read_file(struct input *input, void *buffer, size_t size, struct why *why)
{
	ssize_t n;

	do
		n = read(input->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return why_set(why, -errno, "cannot read '%s'", input->name);
	input->n_read += n;
	input->is_at_end = n == 0;
	return n;
}

/* Reads more behind what is there; there is room for some. */
static int fill(struct input *input, struct why *why)
{
	ssize_t n;

	if (input->begin == input->end)
		input->begin = input->end = 0;
	n = read_file(input, input->packed + input->end, PACKED_BYTES - input->end, why);
	if (n > 0)
		input->end += n;
	return n < 0 ? n : 0;
}

/* Four bytes tell the kind; a pipe may give them one by one. */
static int find_kind(struct input *input, struct why *why)
{
	const unsigned char *p = input->packed;
	int r;

	while (input->end < 4 && !input->is_at_end) {
		r = fill(input, why);
		if (r < 0)
			return r;
	}
	if (input->end >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
		return why_say(why, -EINVAL, "'%s' is compressed with zstd: unpack it first",
			       input->name);
	if (input->end < 2 || p[0] != 0x1f || p[1] != 0x8b) {
		input->kind = KIND_PLAIN;
		return 0;
	}

	if (inflateInit2(&input->zlib, GZIP_WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	input->kind = KIND_GZIP;
	return 0;
}

static ssize_t read_plain(struct input *input, void *buffer, size_t size, struct why *why)
{
	size_t n = input->end - input->begin;

	if (n == 0)
		return input->is_at_end ? 0 : read_file(input, buffer, size, why);
	if (n > size)
		n = size;
	memcpy(buffer, input->packed + input->begin, n);
	input->begin += n;
	return n;
}

static void note_damage(struct input *input, const char *what)
{
	snprintf(input->damage, sizeof(input->damage), "its gzip data %s at byte %llu", what,
		 (unsigned long long)(input->n_read - (input->end - input->begin)));
}

/* Zeros may follow the last member: tapes and some file systems fill up with them. */
static bool is_filled_up(const struct input *input)
{
	for (size_t i = input->begin; i < input->end; i++)
		if (input->packed[i] != 0)
			return false;
	return true;
}

/* Unpacks what is there. Returns how many bytes came out. */
static size_t unpack(struct input *input, void *buffer, size_t size)
{
	z_stream *zlib = &input->zlib;
	int r;

	if (!input->is_inside && is_filled_up(input)) {
		input->begin = input->end;
		return 0;
	}
	zlib->next_in = input->packed + input->begin;
	zlib->avail_in = input->end - input->begin;
	zlib->next_out = buffer;
	zlib->avail_out = size;
	r = inflate(zlib, Z_NO_FLUSH);
	input->begin = input->end - zlib->avail_in;
	input->is_inside = r != Z_STREAM_END;
	if (r == Z_STREAM_END)
		inflateReset(zlib);
	else if (r != Z_OK && r != Z_BUF_ERROR)
		note_damage(input, "is damaged");
	return size - zlib->avail_out;
}

static ssize_t read_gzip(struct input *input, void *buffer, size_t size, struct why *why)
{
	size_t n;
	int r;

	while (!input->damage[0]) {
		if (input->begin == input->end && !input->is_at_end) {
			r = fill(input, why);
			if (r < 0)
				return r;
		}
		n = unpack(input, buffer, size);
		if (n > 0)
			return n;
		if (input->is_at_end && input->begin == input->end) {
			if (input->is_inside)
				note_damage(input, "is cut off");
			return 0;
		}
	}
	return 0;
}

ssize_t input_read(struct input *input, void *buffer, size_t size, struct why *why)
{
	int r;

	if (input->kind == KIND_UNKNOWN) {
		r = find_kind(input, why);
		if (r < 0)
			return r;
	}
	return input->kind == KIND_GZIP ? read_gzip(input, buffer, size, why)
					: read_plain(input, buffer, size, why);
}

const char *input_damage(const struct input *input)
{
	return input->damage[0] ? input->damage : NULL;
}

const char *input_name(const struct input *input)
{
	return input->name;
}
