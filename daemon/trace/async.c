/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Those with one key are a stack, for recursion ends innermost first, and all are a list in the
 * order of their beginning. Ids are often addresses, which processes of one program share: so each
 * is on two stacks, that of its key and its process, which goes first, and that of its key alone.
 * Only if a process has begun nothing with a key is its end taken for that of some other's work.
 */
#include "trace/async.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

enum { OWN, ANY, N_STACKS };

struct node {
	struct async_open open; /* its strings are in text */
	uint64_t id;
	bool is_thread;
	const char *key_name;
	struct {
		uint64_t hash;
		struct node *below, *above;
	} stacks[N_STACKS];
	struct node *older, *younger; /* of all */
	char text[]; /* category, key's name, and the shown name where that is another */
};

struct async {
	struct hash tops; /* hash of a stack -> its youngest node */
	struct node *oldest, *youngest;
	struct node *taken; /* the one that was returned last */
	size_t n_open, max_open;
	size_t n_threads; /* of them, with a thread for an id */
	uint64_t n_begun;
};

int async_new(size_t max_open, struct async **ret_async)
{
	struct async *async = calloc(1, sizeof(*async));

	if (!async)
		return -ENOMEM;
	async->max_open = max_open;
	*ret_async = async;
	return 0;
}

void async_free(struct async *async)
{
	if (!async)
		return;
	for (struct node *node = async->oldest, *next; node; node = next) {
		next = node->younger;
		free(node);
	}
	free(async->taken);
	hash_done(&async->tops);
	free(async);
}

/* Of the stack: of one process, or ANY. */
static uint64_t hash_stack(const struct async_key *key, int stack, uint32_t pid)
{
	uint64_t parts[5] = {hash_bytes(key->name, strlen(key->name)),
			     hash_bytes(key->category, strlen(key->category)), key->id, stack,
			     stack == OWN ? pid : 0};

	return hash_bytes(parts, sizeof(parts));
}

static bool has_key(const struct node *node, const struct async_key *key)
{
	return node->id == key->id && strcmp(node->key_name, key->name) == 0 &&
	       strcmp(node->open.category, key->category) == 0;
}

static struct node *make_node(const struct async_key *key, const struct async_open *begin)
{
	size_t category_size = strlen(key->category) + 1, key_size = strlen(key->name) + 1;
	bool is_same = strcmp(begin->name, key->name) == 0;
	size_t name_size = is_same ? 0 : strlen(begin->name) + 1;
	struct node *node = malloc(sizeof(*node) + category_size + key_size + name_size);
	char *text;

	if (!node)
		return NULL;
	*node = (struct node){.open = *begin, .id = key->id, .is_thread = key->is_thread};
	text = node->text;
	node->open.category = memcpy(text, key->category, category_size);
	node->key_name = memcpy(text + category_size, key->name, key_size);
	node->open.name = node->key_name;
	if (!is_same)
		node->open.name = memcpy(text + category_size + key_size, begin->name, name_size);
	return node;
}

/* Takes a node off a stack that it is on. */
static void unstack(struct async *async, struct node *node, int stack)
{
	struct node *below = node->stacks[stack].below, *above = node->stacks[stack].above;
	uint64_t hash = node->stacks[stack].hash;

	if (below)
		below->stacks[stack].above = above;
	if (above)
		above->stacks[stack].below = below;
	else if (below)
		hash_put(&async->tops, hash, below); /* replaces, which needs no memory */
	else
		hash_remove(&async->tops, hash);
}

static int stack_up(struct async *async, struct node *node, int stack, uint64_t hash)
{
	struct node *below = hash_find(&async->tops, hash);
	int r;

	r = hash_put(&async->tops, hash, node);
	if (r < 0)
		return r;
	node->stacks[stack].hash = hash;
	node->stacks[stack].below = below;
	if (below)
		below->stacks[stack].above = node;
	return 0;
}

int async_begin(struct async *async, const struct async_key *key, const struct async_open *begin,
		const struct async_open **ret_open)
{
	_cleanup_free_ struct node *node = NULL;
	int r;

	if (async->n_open >= async->max_open)
		return -E2BIG;
	node = make_node(key, begin);
	if (!node)
		return -ENOMEM;
	for (int stack = 0; stack < N_STACKS; stack++) {
		r = stack_up(async, node, stack, hash_stack(key, stack, begin->pid));
		if (r < 0) {
			while (stack-- > 0)
				unstack(async, node, stack);
			return r;
		}
	}

	node->older = async->youngest;
	*(async->youngest ? &async->youngest->younger : &async->oldest) = node;
	async->youngest = node;
	async->n_open++;
	async->n_threads += node->is_thread;
	node->open.number = ++async->n_begun;
	*ret_open = &take_ptr(node)->open;
	return 0;
}

static const struct async_open *take(struct async *async, struct node *node)
{
	free(async->taken);
	async->taken = node;
	if (!node)
		return NULL;

	for (int stack = 0; stack < N_STACKS; stack++)
		unstack(async, node, stack);
	*(node->older ? &node->older->younger : &async->oldest) = node->younger;
	*(node->younger ? &node->younger->older : &async->youngest) = node->older;
	async->n_open--;
	async->n_threads -= node->is_thread;
	return &node->open;
}

static struct node *find(struct async *async, const struct async_key *key, uint32_t pid)
{
	struct node *node = NULL;

	for (int stack = 0; stack < N_STACKS && !node; stack++) {
		node = hash_find(&async->tops, hash_stack(key, stack, pid));
		while (node && !has_key(node, key)) /* two keys of one hash */
			node = node->stacks[stack].below;
	}
	return node;
}

const struct async_open *async_find(struct async *async, const struct async_key *key, uint32_t pid)
{
	const struct node *node = find(async, key, pid);

	return node ? &node->open : NULL;
}

const struct async_open *async_end(struct async *async, const struct async_key *key, uint32_t pid)
{
	return take(async, find(async, key, pid));
}

const struct async_open *async_next(struct async *async)
{
	return take(async, async->oldest);
}

void async_abandon(struct async *async, uint32_t pid, async_fn fn, void *opaque)
{
	struct node *node = async->n_threads ? async->oldest : NULL, *next;

	for (; node; node = next) {
		next = node->younger;
		if (node->is_thread && node->open.pid == pid)
			fn(opaque, take(async, node));
	}
}

void async_restart(struct async *async, uint64_t time_ns, async_fn fn, void *opaque)
{
	for (struct node *node = async->oldest; node; node = node->younger) {
		fn(opaque, &node->open);
		if (node->open.time_ns < time_ns)
			node->open.time_ns = time_ns;
	}
}

size_t async_count(const struct async *async)
{
	return async->n_open;
}
