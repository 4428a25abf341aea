/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tests/unit/fixture.h - files for tests: copies in memory to damage, folders to fill */
#ifndef PERFFLOW_TESTS_FIXTURE_H
#define PERFFLOW_TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* The bytes of a file, freed by the caller. */
static inline uint8_t *fixture_read(const char *path, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	bytes = malloc(status.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, status.st_size), status.st_size);
	*ret_size = status.st_size;
	return bytes;
}

/* A file in memory, closed by the caller. */
static inline int fixture_memory(const void *bytes, size_t size)
{
	int fd = memfd_create("fixture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static inline void fixture_write(const char *path, const void *bytes, size_t size, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
}

static inline void fixture_copy(const char *from, const char *to)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t size;

	bytes = fixture_read(from, &size);
	fixture_write(to, bytes, size, 0755);
}

/* A new folder of its own for each test that wants one; fixture_remove() takes it away with all in
 * it. */
static inline char *fixture_folder(void)
{
	char path[] = P_tmpdir "/perfflow-test-XXXXXX";

	assert_non_null(mkdtemp(path));
	return strdup(path);
}

static inline void fixture_remove(char **folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", *folder);
	assert_int_equal(system(command), 0);
	free(*folder);
}

#define _cleanup_folder_ _cleanup_(fixture_remove)

/* A package is missing: no excuse where all of them were to be installed. */
static inline void fixture_skip(const char *because)
{
	const char *ci = getenv("PERFFLOW_CI");

	if (ci && strcmp(ci, "1") == 0)
		fail_msg("%s", because);
	print_message("%s\n", because);
	skip();
}

#endif
