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
	char *location; /* where it is, free of links; NULL where there is no fd */
};

/*
 * Looks for it by build id, then by the binary's .gnu_debuglink, then asks debuginfod servers if
 * the environment has both DEBUGINFOD_URLS and PERFFLOW_DEBUGINFOD=1. -ENOENT: there is none that
 * fits.
 */
int debug_file_open(const struct binary *binary, struct debug_file *ret_file);

/*
 * The file that dwz has moved parts of several files' debug information to, by its build id, or else
 * by its name, which may begin at the folder of the debug file (or, where that has no fd, of the
 * binary). -ENOENT: there is none with that id.
 */
int debug_file_open_common(const struct binary *binary, const struct debug_file *debug,
			   const char *name, const void *build_id, size_t id_bytes,
			   struct debug_file *ret_file);

/* The symbol table that Fedora and its kin keep in .gnu_debugdata. -ENOENT: there is none, or it is
 * damaged. */
int debug_file_unpack(const struct binary *binary, struct debug_file *ret_file);

void debug_file_close(struct debug_file *file);

/*
 * For a struct binary_opener of one's own: a regular file alone is opened, since to open anything else may do something; and
 * what a server has for a build id, if the environment is as above. Both return a descriptor or a negative errno.
 */
int debug_file_open_path(const char *path, char **ret_location);
int debug_file_download(const char *build_id);

#endif
