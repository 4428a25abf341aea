/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The form that ldconfig of glibc 2.2 or later writes, alone or behind the older one. */
#include "binary/ldcache.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binary/root.h"
#include "util/cleanup.h"

#define CACHE_FILE	"/etc/ld.so.cache"
#define MAX_CACHE_BYTES (64 << 20)

static const char old_magic[] = "ld.so-1.7.0", new_magic[] = "glibc-ld.so.cache1.1";

struct header {
	char magic[20];
	uint32_t n_entries;
	uint32_t strings_bytes;
	uint32_t unused[5];
};

struct ldcache_entry {
	int32_t flags;
	uint32_t name, path; /* offsets from the header */
	uint32_t os_version;
	uint64_t hwcap; /* not 0: built for a kind of CPU */
};

int ldcache_read(const char *root, struct ldcache *ret_cache)
{
	_cleanup_free_ char *data = NULL;
	struct header header;
	size_t size, start = 0;
	uint32_t n_old;
	int r;

	*ret_cache = (struct ldcache){};
	r = root_read(root, CACHE_FILE, MAX_CACHE_BYTES, &data, &size);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (size >= 16 && memcmp(data, old_magic, strlen(old_magic)) == 0) {
		memcpy(&n_old, data + 12, sizeof(n_old));
		start = (16 + (size_t)n_old * 12 + 7) & ~(size_t)7;
	}
	if (start > size || size - start < sizeof(header))
		return 0;
	memcpy(&header, data + start, sizeof(header));
	if (memcmp(header.magic, new_magic, sizeof(header.magic)) != 0 ||
	    header.n_entries > (size - start - sizeof(header)) / sizeof(struct ldcache_entry))
		return 0;

	/* to the front, where the entries are aligned */
	memmove(data, data + start, size - start + 1);
	ret_cache->size = size - start;
	ret_cache->entries = (const struct ldcache_entry *)(data + sizeof(header));
	ret_cache->n_entries = header.n_entries;
	ret_cache->data = take_ptr(data);
	return 0;
}

void ldcache_done(struct ldcache *cache)
{
	free(cache->data);
	*cache = (struct ldcache){};
}

/* The string ends at the latest with the '\0' behind the file. NULL for an absurd offset. */
static const char *string_at(const struct ldcache *cache, uint32_t offset)
{
	return offset < cache->size ? cache->data + offset : NULL;
}

bool ldcache_library(const struct ldcache *cache, size_t i, struct ldcache_library *ret_library)
{
	const struct ldcache_entry *entry = &cache->entries[i];
	struct ldcache_library library = {
		.soname = string_at(cache, entry->name),
		.path = string_at(cache, entry->path),
		.is_for_any_cpu = entry->hwcap == 0,
	};

	if (!library.soname || !library.path || library.path[0] != '/')
		return false;
	*ret_library = library;
	return true;
}
