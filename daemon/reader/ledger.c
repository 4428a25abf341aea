/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A pause is written when it begins, and again, with its end, when it is over. */
#include "reader/ledger.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reader/reader.h"
#include "util/cleanup.h"
#include "util/text.h"

void ledger_done(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_items; i++) {
		free(ledger->items[i].reason);
		free(ledger->items[i].function);
		free(ledger->items[i].module);
	}
	free(ledger->items);
	hash_done(&ledger->index);
	*ledger = (struct ledger){0};
}

static int64_t member_ns(struct json_object *args, const char *name)
{
	struct json_object *member = NULL;
	double us;

	if (!json_object_object_get_ex(args, name, &member))
		return 0;
	us = json_object_get_double(member);
	return us > 0 && us < 9e15 ? llround(us * 1000) : 0;
}

static uint64_t key_of(const char *reason, const char *function, const char *module, int64_t pid)
{
	uint64_t parts[] = {hash_bytes(reason, strlen(reason)),
			    hash_bytes(function, strlen(function)),
			    hash_bytes(module, strlen(module)), (uint64_t)pid};

	return hash_bytes(parts, sizeof(parts));
}

static struct ledger_entry *add_entry(struct ledger *ledger, uint64_t key, const char *reason,
				      const char *function, const char *module, int64_t pid)
{
	struct ledger_entry *entry;

	if (array_grow(&ledger->items, ledger->n_items, sizeof(*entry)) < 0)
		return NULL;
	entry = &ledger->items[ledger->n_items];
	*entry = (struct ledger_entry){.reason = strdup(reason),
				       .function = strdup(function),
				       .module = strdup(module),
				       .pid = pid};
	ledger->n_items++;
	if (!entry->reason || !entry->function || !entry->module ||
	    hash_put(&ledger->index, key, (void *)(uintptr_t)ledger->n_items) < 0)
		return NULL;
	return entry;
}

static struct ledger_entry *find_entry(struct ledger *ledger, const char *reason,
				       const char *function, const char *module, int64_t pid)
{
	uint64_t key = key_of(reason, function, module, pid);
	size_t known = (uintptr_t)hash_find(&ledger->index, key);

	if (known)
		return &ledger->items[known - 1];
	if (ledger->n_items >= LEDGER_MAX && (*function || *module || pid))
		return find_entry(ledger, reason, "", "", 0);
	if (ledger->n_items >= 2 * LEDGER_MAX) /* a trace may have any reasons */
		return NULL;
	return add_entry(ledger, key, reason, function, module, pid);
}

static void take_pause(struct ledger_entry *entry, int64_t begin_ns, int64_t end_ns)
{
	if (!end_ns) {
		entry->n++;
		entry->open_ns = begin_ns;
		return;
	}
	entry->n += entry->open_ns != begin_ns;
	entry->pause_ns += end_ns - begin_ns;
	entry->open_ns = 0;
}

int ledger_take(struct ledger *ledger, struct json_object *args)
{
	const char *reason = json_member_text(args, "reason");
	int64_t begin_ns = member_ns(args, "begin"), end_ns = member_ns(args, "end");
	struct ledger_entry *entry;

	entry = find_entry(ledger, reason, json_member_text(args, "function"),
			   json_member_text(args, "module"),
			   (int64_t)json_member_count(args, "pid"));
	if (!entry)
		return ledger->n_items >= 2 * LEDGER_MAX ? 0 : -ENOMEM;
	if (!entry->begin_ns || begin_ns < entry->begin_ns)
		entry->begin_ns = begin_ns;
	if (strcmp(reason, "paused") == 0)
		take_pause(entry, begin_ns, end_ns);
	else
		entry->n += json_member_count(args, "n");
	if (end_ns > entry->end_ns)
		entry->end_ns = end_ns;
	return 0;
}

uint64_t ledger_count(const struct ledger *ledger, const char *reason)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ledger->n_items; i++)
		if (strcmp(ledger->items[i].reason, reason) == 0)
			n += ledger->items[i].n;
	return n;
}

static int compare(const void *left, const void *right)
{
	const struct ledger_entry *a = left, *b = right;

	return a->n > b->n ? -1 : a->n < b->n;
}

void ledger_sort(struct ledger *ledger)
{
	hash_done(&ledger->index); /* void from here on */
	ledger->index = (struct hash){0};
	if (ledger->n_items)
		qsort(ledger->items, ledger->n_items, sizeof(ledger->items[0]), compare);
}
