/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/modules.h - the files that processes execute, and the names of their functions
 *
 * A file is read when it is first needed, by another process (inspect/inspector.h), for which a
 * thread waits, so that nobody else does who does not want to. What was read is kept up to a limit for all files together; then what was needed longest
 * ago goes first.
 */
#ifndef PERFFLOW_SESSION_MODULES_H
#define PERFFLOW_SESSION_MODULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/rights.h"
#include "util/cleanup.h"
#include "util/text.h"

struct modules;
struct module; /* a file, or a kind of memory without one; lives as long as `modules` */

/* read_s: how long reading one of them may take; 0: INSPECTOR_LIMIT_S. */
int modules_new(unsigned int read_s, struct modules **ret_modules);
/* Files that are not these rights' to read have no names. At once after modules_new(). */
int modules_restrict(struct modules *modules, const struct rights *rights);
void modules_free(struct modules *modules);
DEFINE_CLEANUP(struct modules, modules_free)

/* A mapped file, and how it may be reached. */
struct module_file {
	dev_t dev; /* as the kernel tells it of a mapping */
	ino_t ino;
	uint64_t generation; /* of the inode, or 0 if it is not known */
	const char *path;    /* as the process sees it */
	pid_t pid, parent;   /* who has mapped it, and a process with the same root that may live
				longer; or 0 */
	uint64_t start, end; /* where */
};

/*
 * Where the file has another path for us than for the process, it is opened now: the process may be
 * gone when it is needed. -E2BIG: there are too many.
 */
int modules_file(struct modules *modules, const struct module_file *file,
		 struct module **ret_module);

/* Memory without a file, by the name that the kernel has for it: "[vdso]", "//anon", "". */
int modules_memory(struct modules *modules, const char *name, struct module **ret_module);

/* Begins to read it, if it has not been. */
int modules_prepare(struct modules *modules, struct module *module);

/* Whether all is read that was begun. */
bool modules_are_ready(struct modules *modules);

/* Waits for that, but not for ever. */
void modules_wait(struct modules *modules);

/* Adds a sentence where a reader failed. */
int modules_warn(const struct modules *modules, struct strings *warnings);

/*
 * Appends what is at an offset in the file, or from the beginning of the memory, where a call
 * returns to: as functions_print(), or "[vdso+0x1234]". Waits if the file was not prepared; while
 * one that was prepared is still being read, none of its functions is known.
 */
int modules_describe(struct modules *modules, struct module *module, uint64_t offset,
		     struct text *ret_text);

#endif
