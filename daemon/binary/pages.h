/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/pages.h - the pages of a file that were read last, since code is read a few bytes at a time */
#ifndef PERFFLOW_BINARY_PAGES_H
#define PERFFLOW_BINARY_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pages;

/* NULL without memory: then each read asks the file. */
struct pages *pages_new(void);
void pages_free(struct pages *pages);

/* Returns how many bytes there were, or a negative errno. What was read once may be told again though the file has changed. */
ssize_t pages_read(struct pages *pages, int fd, uint64_t offset, void *buffer, size_t size);

#endif
