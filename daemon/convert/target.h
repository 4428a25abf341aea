/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* convert/target.h - where a conversion goes: one file, or a folder with several */
#ifndef PERFFLOW_CONVERT_TARGET_H
#define PERFFLOW_CONVERT_TARGET_H

#include <stdbool.h>

#include "reader/input.h"
#include "util/text.h"
#include "util/why.h"

struct target;

/*
 * NULL and "-" are the standard output. A path that ends in '/', or that is a folder, is a folder;
 * it is made if it is missing. Nothing is opened yet. -EEXIST: it is a file that is read; inputs are
 * paths or "-", NULL behind the last, and live as long as the target.
 */
int target_new(const char *path, const char *const *inputs, struct target **ret_target,
	       struct why *why);

/* From now on a file that is there already is not written to: -EEXIST. */
void target_keep_files(struct target *target);
void target_free(
	struct target *target); /* a file that was begun and not ended is removed, if it is new */
DEFINE_CLEANUP(struct target, target_free)

bool target_is_folder(const struct target *target);

/*
 * A file begins, and the one before ends. In a folder it is called `name` there; else it is the one
 * file, and there is one only. A name in .gz makes it a gzip file.
 */
int target_begin(struct target *target, const char *name, struct why *why);

/* Writes whole lines, or pieces of them. */
int target_write(struct target *target, const struct text *text, struct why *why);

/* Ends the file that was begun last. */
int target_end(struct target *target, struct why *why);

#endif
