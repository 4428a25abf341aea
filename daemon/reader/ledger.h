/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/ledger.h - what a trace says, all along, that it lacks: summed up by reason, function and process */
#ifndef PERFFLOW_READER_LEDGER_H
#define PERFFLOW_READER_LEDGER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/hash.h"

#define LEDGER_MAX 1024 /* entries; what is beyond is summed up by reason alone */

struct ledger_entry {
	char *reason, *function, *module; /* owned; "" where it is not known */
	int64_t pid;			  /* 0 where it is not known */
	uint64_t n;			  /* of whatever it is; of pauses: of these */
	int64_t begin_ns, end_ns;	  /* all of it lies in between; an end of 0: it went on */
	int64_t pause_ns, open_ns;	  /* of pauses: how long together, and when the present one began, or 0 */
};

struct ledger { /* all zero is empty */
	struct ledger_entry *items;
	size_t n_items;
	struct hash index; /* 1 + index by a hash of what tells them apart */
};
void ledger_done(struct ledger *ledger);

/* Takes the args of a "perfflow_ledger". */
int ledger_take(struct ledger *ledger, struct json_object *args);

/* The sum of a reason. */
uint64_t ledger_count(const struct ledger *ledger, const char *reason);

/* The largest first. */
void ledger_sort(struct ledger *ledger);

#endif
