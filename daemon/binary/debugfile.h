/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/debugfile.h - what was taken out of a binary: the separate debug file, and the small
 * symbol table inside of it
 */
#ifndef PERFFLOW_BINARY_DEBUGFILE_H
#define PERFFLOW_BINARY_DEBUGFILE_H

#include <stddef.h>

#include "binary/binary.h"

struct debug_file {
	int fd;
	void *elf;   /* libelf's Elf */
	void *bytes; /* that it is made of where there is no fd */
};

/*
 * Looks for it by build id, then by the binary's .gnu_debuglink, then asks debuginfod servers if
 * the environment has both DEBUGINFOD_URLS and PERFFLOW_DEBUGINFOD=1. -ENOENT: there is none that
 * fits.
 */
int debug_file_open(const struct binary *binary, struct debug_file *ret_file);

/* The symbol table that Fedora and its kin keep in .gnu_debugdata. -ENOENT: there is none, or it is
 * damaged. */
int debug_file_unpack(const struct binary *binary, struct debug_file *ret_file);

void debug_file_close(struct debug_file *file);

#endif
