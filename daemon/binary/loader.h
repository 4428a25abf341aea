/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * binary/loader.h - which files a program would be made of, before it runs: what the dynamic linker
 * would load
 *
 * The rules of ld.so(8): DT_RPATH, LD_LIBRARY_PATH, DT_RUNPATH (with $ORIGIN and $LIB),
 * /etc/ld.so.cache, the default folders. The loader itself is never run: the file may belong to
 * somebody else.
 */
#ifndef PERFFLOW_BINARY_LOADER_H
#define PERFFLOW_BINARY_LOADER_H

#include "binary/binary.h"
#include "binary/rights.h"
#include "util/text.h"
#include "util/why.h"

/* How the program would be started. Strings are borrowed. */
struct loader_context {
	const char *root;      /* "" or "/proc/PID/root": stands before each path that is opened */
	const char *directory; /* its working directory, within root; NULL is "/" */
	const char *path;      /* PATH of its environment, or NULL */
	const char *library_path; /* LD_LIBRARY_PATH, or NULL */
	const char *preload;	  /* LD_PRELOAD, or NULL */
	/* Who opens and reads the files, as binary_open(); NULL: that does. */
	int (*open_fn)(void *userdata, const char *path, struct binary **ret_binary, struct why *why);
	void *open_userdata;
	struct strings *missed;	     /* what is needed and not found, or cannot be read, is added to it; may be NULL */
	const struct rights *rights; /* whose files they have to be to read; NULL: all are read */
};

/*
 * Finds the file of a command as execvp() would. *ret_path is within root (give it to
 * loader_closure with the context). -ENOENT, -EACCES.
 */
int loader_find_program(const struct loader_context *context, const char *word, char **ret_path);

/*
 * Adds to paths the program itself (for a script: its interpreter, and so on), then every library
 * that it would load, each once, each with the root before it. Libraries that are not found are
 * left out (see missed). Files that are no ELF give nothing. Returns 0, or a negative errno where the program
 * itself cannot be read.
 */
int loader_closure(const struct loader_context *context, const char *path, struct strings *paths,
		   struct why *why);

/* Returns 1 if the file at path (within root) is a script with a "#!" line, 0 if not. */
int loader_is_script(const struct loader_context *context, const char *path);

/*
 * Adds to paths every library in LD_LIBRARY_PATH, the cache and the default folders whose file name
 * or soname matches the glob.
 */
int loader_find_libraries(const struct loader_context *context, const char *glob,
			  struct strings *paths);

/* Adds to paths every executable in PATH whose file name matches the glob. */
int loader_find_programs(const struct loader_context *context, const char *glob,
			 struct strings *paths);

/*
 * Both of these, the programs with what they would load, for each glob that names none of the paths yet: what a program uses
 * itself counts, and not its namesake elsewhere.
 */
int loader_find_named(const struct loader_context *context, const struct strings *globs, struct strings *paths);

/*
 * Whether it is a dynamic linker. It sets up the program's own stack, and has no functions that a pattern without a module
 * should stumble on.
 */
bool loader_is_one(const struct binary *binary);

#endif
