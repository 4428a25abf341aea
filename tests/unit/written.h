/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* written.h - files with given bytes, for tests of what reads files by path */
#ifndef PERFFLOW_TESTS_WRITTEN_H
#define PERFFLOW_TESTS_WRITTEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* A file without a name, and the path that opens it. */
struct written {
	int fd;
	char path[40];
};

static inline struct written write_bytes(const void *data, size_t size)
{
	struct written written = {.fd = memfd_create("written", MFD_CLOEXEC)};

	assert_true(written.fd >= 0);
	assert_int_equal(write(written.fd, data, size), size);
	snprintf(written.path, sizeof(written.path), "/proc/self/fd/%d", written.fd);
	return written;
}

static inline struct written write_text(const char *text)
{
	return write_bytes(text, strlen(text));
}

/* The same as a gzip file of which the last bytes are missing. */
static inline struct written write_gzip(const char *text, size_t n_missing)
{
	size_t size = strlen(text), room = size + 1000;
	unsigned char *packed = malloc(room);
	struct written written;
	z_stream zlib = {
		.next_in = (Bytef *)text, .avail_in = size, .next_out = packed, .avail_out = room};

	assert_int_equal(deflateInit2(&zlib, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
	assert_true(zlib.total_out > n_missing);
	written = write_bytes(packed, zlib.total_out - n_missing);
	deflateEnd(&zlib);
	free(packed);
	return written;
}

static inline void written_close(const struct written *written)
{
	close(written->fd);
}

#endif
