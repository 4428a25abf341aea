/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Chunks of labels, made as they are needed and never moved. Categories repeat: the last one is shared. */
#include "session/labels.h"

#include <errno.h>
#include <string.h>

#define CHUNK 1024

struct labels {
	struct sink_label *chunks[LABELS_MAX / CHUNK];
	uint32_t n_labels;
	struct category {
		struct category *next;
		char name[];
	} *categories;
};

int labels_new(struct labels **ret_labels)
{
	*ret_labels = calloc(1, sizeof(**ret_labels));
	return *ret_labels ? 0 : -ENOMEM;
}

void labels_free(struct labels *labels)
{
	if (!labels)
		return;
	for (uint32_t i = 0; i < labels->n_labels; i++)
		free((char *)labels->chunks[i / CHUNK][i % CHUNK].name);
	for (size_t i = 0; i < LABELS_MAX / CHUNK; i++)
		free(labels->chunks[i]);
	while (labels->categories) {
		struct category *next = labels->categories->next;

		free(labels->categories);
		labels->categories = next;
	}
	free(labels);
}

static const char *intern_category(struct labels *labels, const char *name)
{
	struct category *category = labels->categories;
	size_t size = strlen(name) + 1;

	if (category && strcmp(category->name, name) == 0)
		return category->name;
	category = malloc(sizeof(*category) + size);
	if (!category)
		return NULL;
	memcpy(category->name, name, size);
	category->next = labels->categories;
	labels->categories = category;
	return category->name;
}

int labels_add(struct labels *labels, const char *name, const char *category, uint32_t *ret_number)
{
	uint32_t index = labels->n_labels;
	struct sink_label label, *chunk;

	if (index == LABELS_MAX)
		return -E2BIG;
	chunk = labels->chunks[index / CHUNK];
	if (!chunk) {
		chunk = calloc(CHUNK, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		__atomic_store_n(&labels->chunks[index / CHUNK], chunk, __ATOMIC_RELEASE);
	}
	label.category = intern_category(labels, category);
	label.name = strdup(name);
	if (!label.category || !label.name) {
		free((char *)label.name);
		return -ENOMEM;
	}
	chunk[index % CHUNK] = label;
	__atomic_store_n(&labels->n_labels, index + 1, __ATOMIC_RELEASE);
	*ret_number = index + 1;
	return 0;
}

const struct sink_label *labels_find(const struct labels *labels, uint32_t number)
{
	if (!number || number > __atomic_load_n(&labels->n_labels, __ATOMIC_ACQUIRE))
		return NULL;
	number--;
	return &__atomic_load_n(&labels->chunks[number / CHUNK], __ATOMIC_ACQUIRE)[number % CHUNK];
}

uint32_t labels_count(const struct labels *labels)
{
	return labels->n_labels;
}
