/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Both lists are sorted, so that they are compared in one walk. */
#include "probe/table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define BATCH 512

void table_done(struct table *table)
{
	free(table->now.data);
	free(table->before.data);
}

static int compare(const void *a, const void *b, void *key_bytes)
{
	return memcmp(a, b, *(const size_t *)key_bytes);
}

static size_t entry_bytes(const struct table *table)
{
	return table->key_bytes + table->value_bytes;
}

static int take_batch(const struct table *table, struct table_list *list, const char *keys, const char *values, uint32_t n)
{
	size_t size = entry_bytes(table);
	char *data = realloc(list->data, (list->n + n + 1) * size), *entry;

	if (!data)
		return -ENOMEM;
	list->data = data;
	for (uint32_t i = 0; i < n; i++) {
		entry = data + list->n++ * size;
		memcpy(entry, keys + i * table->key_bytes, table->key_bytes);
		memcpy(entry + table->key_bytes, values + i * table->value_bytes, table->value_bytes);
	}
	return 0;
}

static int read_list(const struct table *table, struct table_list *list)
{
	_cleanup_free_ char *keys = malloc(BATCH * table->key_bytes), *values = malloc(BATCH * table->value_bytes);
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t cursor, n;
	void *from = NULL;
	int r, end = 0;

	if (!keys || !values)
		return -ENOMEM;
	while (!end) {
		n = BATCH;
		r = bpf_map_lookup_batch(table->fd, from, &cursor, keys, values, &n, &options);
		end = r < 0;
		if (r < 0 && errno != ENOENT)
			return -errno;
		from = &cursor;
		r = take_batch(table, list, keys, values, n);
		if (r < 0)
			return r;
	}
	return 0;
}

int table_read(struct table *table)
{
	struct table_list list = { 0 };
	int r = read_list(table, &list);

	if (r < 0) {
		free(list.data);
		return r;
	}
	qsort_r(list.data, list.n, entry_bytes(table), compare, &table->key_bytes);
	free(table->before.data);
	table->before = table->now;
	table->now = list;
	return 0;
}

int table_next(const struct table *table, struct table_cursor *cursor, const void **ret_key, const void **ret_value,
	       const void **ret_old)
{
	size_t size = entry_bytes(table);
	const char *entry, *old;
	int order = 1;

	if (cursor->now == table->now.n)
		return 0;
	entry = table->now.data + cursor->now++ * size;
	*ret_key = entry;
	*ret_value = entry + table->key_bytes;
	*ret_old = NULL;
	while (order > 0 && cursor->before < table->before.n) {
		old = table->before.data + cursor->before * size;
		order = memcmp(entry, old, table->key_bytes);
		cursor->before += order >= 0;
		if (order == 0)
			*ret_old = old + table->key_bytes;
	}
	return 1;
}
