/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/hash.h - a hash table from 64-bit keys to pointers (open addressing, grows, never shrinks) */
#ifndef PERFFLOW_UTIL_HASH_H
#define PERFFLOW_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_slot;

struct hash { /* all zero is an empty table */
	struct hash_slot *slots;
	size_t n_slots; /* a power of two, or 0 */
	size_t n_used;  /* with those removed */
	size_t n_values;
};

void hash_done(struct hash *hash); /* frees the table, not what it points to */

/* The value, or NULL. */
void *hash_find(const struct hash *hash, uint64_t key);

/* Sets or replaces; value is not NULL. -ENOMEM leaves the table as it was. */
int hash_put(struct hash *hash, uint64_t key, void *value);

/* Takes the value out and returns it, or NULL. */
void *hash_remove(struct hash *hash, uint64_t key);

/* Walks over all: start with *cursor 0; returns NULL at the end. Nothing may be put in meanwhile. */
void *hash_next(const struct hash *hash, size_t *cursor, uint64_t *ret_key);

/* A good 64-bit hash of bytes, for keys made of text. */
uint64_t hash_bytes(const void *data, size_t size);

#endif
