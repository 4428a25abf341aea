/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/table.h - what is in a hash table of the kernel side, and what it was before */
#ifndef PERFFLOW_PROBE_TABLE_H
#define PERFFLOW_PROBE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table { /* all zero but the first two: nothing was read yet */
	int fd; /* borrowed */
	size_t key_bytes, value_bytes; /* multiples of four */
	struct table_list { /* entries, a key and behind it the value, by key */
		char *data; /* owned */
		size_t n;
	} now, before;
};

void table_done(struct table *table);

/* Reads all that is there now; what was read last is what was before. On failure nothing has changed. */
int table_read(struct table *table);

/*
 * Walks over what is there now: start with *cursor 0; false at the end. *ret_old is the value that the key had before, NULL if
 * there was none.
 */
struct table_cursor {
	size_t now, before;
};
int table_next(const struct table *table, struct table_cursor *cursor, const void **ret_key, const void **ret_value,
	       const void **ret_old);

#endif
