/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/sorter.h - any number of records of one size in order, in little memory: what does not fit
 * waits in a temporary file
 */
#ifndef PERFFLOW_READER_SORTER_H
#define PERFFLOW_READER_SORTER_H

#include <stddef.h>

#include "util/cleanup.h"
#include "util/why.h"

struct sorter;

/* Below 0: a comes before b. Records that are equal come in any order. */
typedef int (*sorter_compare)(const void *a, const void *b);

/* Holds at most max_bytes of records in memory, at least two of them. */
int sorter_new(size_t record_size, sorter_compare compare, size_t max_bytes,
	       struct sorter **ret_sorter);
void sorter_free(struct sorter *sorter);
DEFINE_CLEANUP(struct sorter, sorter_free)

/* Takes a copy of the record. */
int sorter_add(struct sorter *sorter, const void *record, struct why *why);

/*
 * Returns 1 and the next record, which stays valid until the next call, or 0 after the last one.
 * Nothing may be added any more.
 */
int sorter_next(struct sorter *sorter, const void **ret_record, struct why *why);

#endif
