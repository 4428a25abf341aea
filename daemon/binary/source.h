/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/source.h - where a function begins in its source: the lines of DWARF */
#ifndef PERFFLOW_BINARY_SOURCE_H
#define PERFFLOW_BINARY_SOURCE_H

#include <stdint.h>

#include "binary/binary.h"
#include "binary/symbol.h"

struct source;

/*
 * Reads the line tables of the binary, or of its debug file, and keeps what they say of the
 * functions in symbols. This costs about a second for 100 MB of debug information, so it is done
 * when somebody asks. -ENODATA: there is no debug information; -EFBIG: there are more than 4 GB.
 */
int source_open(const struct binary *binary, const struct symbols *symbols,
		struct source **ret_source);
void source_close(struct source *source);
DEFINE_CLEANUP(struct source, source_close)

/* Of the function that begins at an address. -ENOENT: not known. The path is as the compiler was
 * given it, made absolute. */
int source_find(const struct source *source, uint64_t address, const char **ret_path,
		unsigned int *ret_line);

#endif
