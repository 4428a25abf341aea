/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Of two that are open and alike the one that began last ends first, as viewers have it. */
#include "reader/pairs.h"

#include <errno.h>
#include <string.h>

#include "util/text.h"

struct pair {
	struct pair *next; /* of the same hash */
	struct json_object *json;
	const char *name, *category; /* in json */
	int64_t start_ns;
	int64_t pid, tid;
	uint64_t number, line;
	size_t key_size;
	char key[];
};

void pairs_done(struct pairs *pairs)
{
	struct pair *pair, *next;
	size_t cursor = 0;

	while ((pair = hash_next(&pairs->by_key, &cursor, NULL))) {
		for (; pair; pair = next) {
			next = pair->next;
			json_object_put(pair->json);
			free(pair);
		}
	}
	hash_done(&pairs->by_key);
	json_object_put(pairs->given);
	*pairs = (struct pairs){0};
}

/* What an event has in common with its other end. */
static int make_key(const struct trace_event *event, struct text *key)
{
	const char *id =
		event->id ? json_object_to_json_string_ext(event->id, JSON_C_TO_STRING_PLAIN) : "";
	int r;

	r = text_append(key, event->category, strlen(event->category) + 1);
	r = r ?: text_append(key, event->name, strlen(event->name) + 1);
	r = r ?: text_append(key, id, strlen(id) + 1);
	if (r == 0 && json_object_is_type(event->id, json_type_object))
		r = text_printf(key, "%lld", (long long)event->pid);
	return r;
}

static int add_pair(struct pairs *pairs, const struct trace_event *event, const struct text *key,
		    uint64_t hash)
{
	struct pair *pair = malloc(sizeof(*pair) + key->size);
	int r;

	if (!pair)
		return -ENOMEM;
	*pair = (struct pair){
		.next = hash_find(&pairs->by_key, hash),
		.json = json_object_get(event->json),
		.name = event->name,
		.category = event->category,
		.start_ns = event->time_ns,
		.pid = event->pid,
		.tid = event->tid,
		.number = event->number,
		.line = event->line,
		.key_size = key->size,
	};
	memcpy(pair->key, key->data, key->size);
	r = hash_put(&pairs->by_key, hash, pair);
	if (r < 0) {
		json_object_put(pair->json);
		free(pair);
		return r;
	}
	pairs->n_open++;
	return 0;
}

/* Takes the pair that was begun last with that key out of the table; NULL if there is none. */
static struct pair *remove_pair(struct pairs *pairs, const struct text *key, uint64_t hash)
{
	struct pair *first = hash_find(&pairs->by_key, hash), *pair, **link;

	for (link = &first; (pair = *link); link = &pair->next)
		if (pair->key_size == key->size && memcmp(pair->key, key->data, key->size) == 0)
			break;
	if (!pair)
		return NULL;
	*link = pair->next;
	if (first)
		hash_put(&pairs->by_key, hash, first); /* the key is there: nothing is allocated */
	else
		hash_remove(&pairs->by_key, hash);
	pairs->n_open--;
	return pair;
}

static int end_pair(struct pairs *pairs, struct lanes *lanes, const struct trace_event *event,
		    struct pair *pair, struct call *ret_call)
{
	*ret_call = (struct call){
		.lane = lanes_find(lanes, pair->pid, pair->tid),
		.start_ns = pair->start_ns,
		.end_ns = event->time_ns > pair->start_ns ? event->time_ns : pair->start_ns,
		.name = pair->name,
		.category = pair->category,
		.json = pair->json,
		.args = json_member(pair->json, "args", json_type_object),
		.number = pair->number,
		.line = pair->line,
		.end_number = event->number,
	};
	pairs->given = pair->json;
	free(pair);
	return ret_call->lane ? 1 : -ENOMEM;
}

int pairs_take(struct pairs *pairs, struct lanes *lanes, const struct trace_event *event,
	       struct call *ret_call)
{
	_cleanup_(text_done) struct text key = {0};
	struct pair *pair;
	uint64_t hash;
	int r;

	json_object_put(take_ptr(pairs->given));
	if ((event->phase != 'b' && event->phase != 'e') || !(event->has & EVENT_TIME))
		return 0;
	r = make_key(event, &key);
	if (r < 0)
		return r;
	hash = hash_bytes(key.data, key.size);
	if (event->phase == 'b')
		return add_pair(pairs, event, &key, hash);

	pair = remove_pair(pairs, &key, hash);
	if (!pair) {
		pairs->n_stray++;
		return 0;
	}
	return end_pair(pairs, lanes, event, pair, ret_call);
}
