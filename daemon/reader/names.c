/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Texts that share a hash stand in a list, so that no two are ever taken for one. */
#include "reader/names.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

struct name {
	struct name *next; /* of the same hash, or NULL */
	uint32_t number;
	char text[];
};

void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n_items; i++)
		free(names->items[i]);
	free(names->items);
	hash_done(&names->by_hash);
	*names = (struct names){0};
}

static int add(struct names *names, const char *text, size_t size, struct name **ret_name)
{
	struct name *name;
	int r;

	r = array_grow(&names->items, names->n_items, sizeof(*names->items));
	if (r < 0)
		return r;
	name = malloc(sizeof(*name) + size + 1);
	if (!name)
		return -ENOMEM;
	name->next = NULL;
	name->number = names->n_items;
	memcpy(name->text, text, size + 1);
	*ret_name = names->items[names->n_items++] = name;
	return 0;
}

int names_number(struct names *names, const char *text, uint32_t *ret_number)
{
	size_t size = strlen(text);
	uint64_t hash = hash_bytes(text, size);
	struct name *first = hash_find(&names->by_hash, hash), *name;
	int r;

	for (name = first; name; name = name->next) {
		if (strcmp(name->text, text) == 0) {
			*ret_number = name->number;
			return 0;
		}
	}

	r = add(names, text, size, &name);
	if (r < 0)
		return r;
	*ret_number = name->number;
	if (!first)
		return hash_put(&names->by_hash, hash, name);
	name->next = first->next;
	first->next = name;
	return 0;
}

const char *names_text(const struct names *names, uint32_t number)
{
	return names->items[number]->text;
}
