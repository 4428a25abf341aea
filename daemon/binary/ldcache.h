/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/ldcache.h - /etc/ld.so.cache: where ldconfig(8) has found the libraries of the system */
#ifndef PERFFLOW_BINARY_LDCACHE_H
#define PERFFLOW_BINARY_LDCACHE_H

#include <stdbool.h>
#include <stddef.h>

struct ldcache_entry;
struct ldcache {    /* all zero is empty */
	char *data; /* the new header and what follows it, and a '\0' */
	size_t size;
	const struct ldcache_entry *entries;
	size_t n_entries;
};

struct ldcache_library {
	const char *soname, *path; /* within the root; absolute */
	bool is_for_any_cpu;
};

/* Within a root ("" is our own). A cache that is not there, or not as expected, is an empty one. -ENOMEM. */
int ldcache_read(const char *root, struct ldcache *ret_cache);
void ldcache_done(struct ldcache *cache);

/* What entry i says; false if that makes no sense. */
bool ldcache_library(const struct ldcache *cache, size_t i, struct ldcache_library *ret_library);

#endif
