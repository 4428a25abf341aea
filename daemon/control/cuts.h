/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/cuts.h - the sessions that were cut off, as perfflowd ended without ending them
 *
 * What runs is in a file, as the interface describes it; what stands there at a start was cut. The
 * file is in a folder of the service manager's ($STATE_DIRECTORY), whose other files are nobody's.
 */
#ifndef PERFFLOW_CONTROL_CUTS_H
#define PERFFLOW_CONTROL_CUTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

struct cuts;

#define CUTS_MAX  64 /* the newest that are kept, */
#define CUTS_DAYS 7  /* for so long */

/*
 * Reads the file, and tells the log what was cut since it was written. directory NULL: nothing is kept. A
 * file that cannot be read or written is a line in the log, and then nothing is known or kept.
 */
int cuts_new(const char *directory, struct cuts **ret_cuts);
void cuts_free(struct cuts *cuts);
DEFINE_CLEANUP(struct cuts, cuts_free)

/* Takes the description of a session that has begun (NULL: there was no memory for it). */
void cuts_begin(struct cuts *cuts, struct json_object *session);
void cuts_end(struct cuts *cuts, uint64_t id);

/* The highest number of a session so far. */
uint64_t cuts_last_id(const struct cuts *cuts);

/* Those that were cut, the oldest first: an array of sessions. It is the cuts' own. */
struct json_object *cuts_list(const struct cuts *cuts);
bool cuts_is_of(struct json_object *list, size_t i, uid_t uid); /* whether that user started it */

#endif
