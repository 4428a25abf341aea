/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Linear probing over a power of two of slots, at most three quarters of which are used. A removed
 * value leaves a mark that keeps the search going, and is swept out when the table is built anew;
 * so hash_next() may be followed by hash_remove(), which moving the slots back would not allow.
 */
#include "util/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SLOTS 16

struct hash_slot {
	uint64_t key;
	void *value; /* NULL: never used; &removed: taken out */
};

static char removed;

/* Keys are often pids or addresses, which differ in few bits: spread those over all (the end of
 * MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static bool holds_value(const struct hash_slot *slot)
{
	return slot->value && slot->value != &removed;
}

/* The slot that holds the key, or NULL. */
static struct hash_slot *find_slot(const struct hash *hash, uint64_t key)
{
	size_t i;

	if (!hash->n_slots)
		return NULL;

	for (i = mix(key);; i++) {
		struct hash_slot *slot = &hash->slots[i & (hash->n_slots - 1)];

		if (!slot->value)
			return NULL;
		if (slot->key == key && slot->value != &removed)
			return slot;
	}
}

/* Puts in a key that is not there, into a table that has room. */
static void insert(struct hash *hash, uint64_t key, void *value)
{
	size_t i = mix(key);
	struct hash_slot *slot;

	while (holds_value(&hash->slots[i & (hash->n_slots - 1)]))
		i++;
	slot = &hash->slots[i & (hash->n_slots - 1)];
	if (!slot->value)
		hash->n_used++;
	*slot = (struct hash_slot){.key = key, .value = value};
	hash->n_values++;
}

/* Builds the table anew, without those removed, and at most half full. */
static int rebuild(struct hash *hash)
{
	struct hash larger = {.n_slots = hash->n_slots ? hash->n_slots : MIN_SLOTS};

	while (larger.n_slots < 2 * (hash->n_values + 1))
		larger.n_slots *= 2;
	larger.slots = calloc(larger.n_slots, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;

	for (size_t i = 0; i < hash->n_slots; i++) {
		if (holds_value(&hash->slots[i]))
			insert(&larger, hash->slots[i].key, hash->slots[i].value);
	}
	free(hash->slots);
	*hash = larger;
	return 0;
}

void hash_done(struct hash *hash)
{
	free(hash->slots);
	*hash = (struct hash){};
}

void *hash_find(const struct hash *hash, uint64_t key)
{
	struct hash_slot *slot = find_slot(hash, key);

	return slot ? slot->value : NULL;
}

int hash_put(struct hash *hash, uint64_t key, void *value)
{
	struct hash_slot *slot = find_slot(hash, key);
	int r;

	if (slot) {
		slot->value = value;
		return 0;
	}
	if (4 * (hash->n_used + 1) > 3 * hash->n_slots) {
		r = rebuild(hash);
		if (r < 0)
			return r;
	}
	insert(hash, key, value);
	return 0;
}

void *hash_remove(struct hash *hash, uint64_t key)
{
	struct hash_slot *slot = find_slot(hash, key);
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	slot->value = &removed;
	hash->n_values--;
	return value;
}

void *hash_next(const struct hash *hash, size_t *cursor, uint64_t *ret_key)
{
	while (*cursor < hash->n_slots) {
		struct hash_slot *slot = &hash->slots[(*cursor)++];

		if (!holds_value(slot))
			continue;
		if (ret_key)
			*ret_key = slot->key;
		return slot->value;
	}
	return NULL;
}

uint64_t hash_bytes(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = mix(size + 0x9e3779b97f4a7c15ULL);
	uint64_t word;

	for (; size >= sizeof(word); bytes += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = mix(hash ^ word) * 0x9e3779b97f4a7c15ULL;
	}
	if (size) {
		word = 0;
		memcpy(&word, bytes, size);
		hash = mix(hash ^ word) * 0x9e3779b97f4a7c15ULL;
	}
	return mix(hash);
}
