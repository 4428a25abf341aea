/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * trace/async.h - what began and has not ended yet, of work that may begin on one thread and end on
 * another
 */
#ifndef PERFFLOW_TRACE_ASYNC_H
#define PERFFLOW_TRACE_ASYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

/* An end belongs to the beginning with the same name, category and id. */
struct async_key {
	const char *name;
	const char *category;
	uint64_t id;
	bool is_thread; /* the id is that of the thread: what is open ends with its process */
};

struct async_open {
	uint64_t number; /* from 1, no two have the same */
	uint64_t time_ns;
	uint32_t pid, tid; /* of the beginning */
	const char *name;  /* as it is shown, which may differ from the key's */
	const char *category;
};

struct async;

int async_new(size_t max_open, struct async **ret_async);
void async_free(struct async *async);
DEFINE_CLEANUP(struct async, async_free)

/* The strings are copied. -E2BIG: max_open of them are open. What is returned stays until its end.
 */
int async_begin(struct async *async, const struct async_key *key, const struct async_open *begin,
		const struct async_open **ret_open);

/*
 * Takes the youngest one with that key out and returns it, to be read until the next call: one of
 * that process, or else of any. NULL: none has begun.
 */
const struct async_open *async_end(struct async *async, const struct async_key *key, uint32_t pid);

/* The same, and leaves it in. */
const struct async_open *async_find(struct async *async, const struct async_key *key, uint32_t pid);

/* Takes out the oldest of all. */
const struct async_open *async_next(struct async *async);

/* Takes out all of that process whose id is a thread, and hands each to fn. */
typedef void (*async_fn)(void *opaque, const struct async_open *open);
void async_abandon(struct async *async, uint32_t pid, async_fn fn, void *opaque);

/* Hands each to fn, the oldest first, and then has it begin anew at that time; all stay in. */
void async_restart(struct async *async, uint64_t time_ns, async_fn fn, void *opaque);

size_t async_count(const struct async *async);

#endif
