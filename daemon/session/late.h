/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/late.h - functions that were in use before they had probes: whose, and from when to when, for the trace's ledger
 *
 * Nobody has counted the calls of that time, since there was nothing yet that could: all that is known of those that are
 * missing is that they began in it.
 */
#ifndef PERFFLOW_SESSION_LATE_H
#define PERFFLOW_SESSION_LATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/mappings.h"
#include "session/labels.h"
#include "session/ledger.h"
#include "util/hash.h"

struct late { /* all zero, but for what is borrowed */
	struct ledger *ledger;	     /* borrowed */
	const struct labels *labels; /* borrowed */
	struct hash files;	     /* that were woven late, by dev and ino; owned */
	struct hash told;	     /* a set of them with those who had mapped them */
};
void late_done(struct late *late);

/* A file was woven now that a process had mapped: the functions with the numbers beyond `after`, up to `last`. */
void late_note_file(struct late *late, const struct mapping *mapping, uint32_t after, uint32_t last);

/* Whether another process, too, had mapped such a file before it was woven, and is not told of yet; then it is to be. */
bool late_has_mapping(const struct late *late, const struct mapping *mapping);
void late_note_mapping(struct late *late, const struct mapping *mapping);

/* A process has got probes of its own now that was born at that time. */
void late_note_process(struct late *late, pid_t pid, uint64_t born_ns);

#endif
