/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ids are whatever the file says, so the pair of them does not fit into a key: threads that share a
 * hash stand in a list. */
#include "reader/lane.h"

#include <stdlib.h>

#include "util/cleanup.h"
#include "util/text.h"

void lanes_done(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->n_items; i++)
		free(lanes->items[i]);
	free(lanes->items);
	hash_done(&lanes->by_thread);
	hash_done(&lanes->processes);
	*lanes = (struct lanes){0};
}

/* The lane is the table's from the start, also where there is no memory to find it again. */
static int add(struct lanes *lanes, struct lane *lane)
{
	int r;

	r = array_grow(&lanes->items, lanes->n_items, sizeof(*lanes->items));
	if (r < 0) {
		free(lane);
		return r;
	}
	lane->number = lanes->n_items;
	lanes->items[lanes->n_items++] = lane;
	return 0;
}

static int add_process(struct lanes *lanes, struct lane *lane)
{
	struct lane *sibling = hash_find(&lanes->processes, lane->pid);

	lane->process = sibling ? sibling->process : lanes->n_processes++;
	return sibling ? 0 : hash_put(&lanes->processes, lane->pid, lane);
}

struct lane *lanes_find(struct lanes *lanes, int64_t pid, int64_t tid)
{
	int64_t ids[2] = {pid, tid};
	uint64_t key = hash_bytes(ids, sizeof(ids));
	struct lane *first = hash_find(&lanes->by_thread, key), *lane;

	for (lane = first; lane; lane = lane->next)
		if (lane->pid == pid && lane->tid == tid)
			return lane;

	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->pid = pid;
	lane->tid = tid;
	if (add(lanes, lane) < 0 || add_process(lanes, lane) < 0)
		return NULL;
	if (!first)
		return hash_put(&lanes->by_thread, key, lane) < 0 ? NULL : lane;
	lane->next = first->next;
	first->next = lane;
	return lane;
}
