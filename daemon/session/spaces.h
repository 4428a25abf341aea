/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/spaces.h - what executable memory each process had at any time
 *
 * Put together from what the kernel tells as it happens (probe/mappings.h) and, of what was there
 * before, from /proc. What is known of a process outlives it for some seconds.
 */
#ifndef PERFFLOW_SESSION_SPACES_H
#define PERFFLOW_SESSION_SPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/mappings.h"
#include "session/modules.h"
#include "util/cleanup.h"

struct spaces;

int spaces_new(struct modules *modules, struct spaces **ret_spaces); /* which live longer */
void spaces_free(struct spaces *spaces);
DEFINE_CLEANUP(struct spaces, spaces_free)

/* Takes what happened, in any order. -E2BIG: there are too many processes or files. */
int spaces_note(struct spaces *spaces, const struct mapping *mapping);

/* Reads what a process has now. -ESRCH: it is gone. */
int spaces_read(struct spaces *spaces, pid_t pid);

struct place {
	struct module *module;
	uint64_t offset; /* in the file, or from the beginning of the memory */
};

/* What an address was of at a time, as far as somebody has told. */
bool spaces_find_known(struct spaces *spaces, pid_t pid, uint64_t time_ns, uint64_t address,
		       struct place *ret_place);

/* If nobody has, /proc may, where the process still has the same program; it is asked at most once
 * a second. */
bool spaces_find(struct spaces *spaces, pid_t pid, uint64_t time_ns, uint64_t address,
		 struct place *ret_place);

/* Drops what will not be asked for any more; to be called every few seconds. */
void spaces_sweep(struct spaces *spaces);

#endif
