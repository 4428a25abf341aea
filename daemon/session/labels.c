/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Chunks of labels, made as they are needed and never moved. Categories repeat: the last two are shared. */
#include "session/labels.h"

#include <errno.h>
#include <string.h>

#define CHUNK 1024

struct entry {
	struct sink_label label; /* the values and the name are owned, the category is shared */
	struct pf_condition condition;
	bool has_event; /* atomic */
	bool is_of_any_call;
	uint32_t first_told;
};

struct labels {
	struct entry *chunks[LABELS_MAX / CHUNK];
	uint32_t n_labels; /* with those that are reserved */
	uint32_t n_reserved;
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

static void label_done(struct sink_label *label)
{
	for (unsigned int i = 0; label->values && i < label->n_values; i++)
		free((char *)label->values[i].name);
	free((void *)label->values);
	free((char *)label->name);
	free((char *)label->function);
	free((char *)label->scope);
}

void labels_free(struct labels *labels)
{
	if (!labels)
		return;
	for (uint32_t i = 0; i < labels->n_labels; i++)
		label_done(&labels->chunks[i / CHUNK][i % CHUNK].label);
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

	for (int i = 0; category && i < 2; i++, category = category->next)
		if (strcmp(category->name, name) == 0)
			return category->name;
	category = malloc(sizeof(*category) + size);
	if (!category)
		return NULL;
	memcpy(category->name, name, size);
	category->next = labels->categories;
	__atomic_store_n(&labels->categories, category, __ATOMIC_RELEASE);
	return category->name;
}

static int copy_values(const struct sink_label *from, struct sink_label *to)
{
	struct sink_value *values;

	if (!from->n_values)
		return 0;
	values = calloc(from->n_values, sizeof(*values));
	if (!values)
		return -ENOMEM;
	to->values = values;
	to->n_values = from->n_values;
	for (unsigned int i = 0; i < from->n_values; i++) {
		values[i] = from->values[i];
		values[i].name = from->values[i].name ? strdup(from->values[i].name) : NULL;
		if (from->values[i].name && !values[i].name)
			return -ENOMEM;
	}
	return 0;
}

static int copy_label(struct labels *labels, const struct sink_label *from, struct sink_label *to)
{
	int r;

	*to = *from;
	to->values = NULL;
	to->n_values = 0;
	to->category = intern_category(labels, from->category);
	to->module = from->module ? intern_category(labels, from->module) : NULL;
	to->name = strdup(from->name);
	to->function = from->function ? strdup(from->function) : NULL;
	to->scope = from->scope ? strdup(from->scope) : NULL;
	if (!to->category || !to->name || !to->module != !from->module || !to->function != !from->function ||
	    !to->scope != !from->scope)
		r = -ENOMEM;
	else
		r = copy_values(from, to);
	if (r < 0)
		label_done(to);
	return r;
}

static int make_chunk(struct labels *labels, uint32_t index)
{
	struct entry *chunk = labels->chunks[index / CHUNK];

	if (chunk)
		return 0;
	chunk = calloc(CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	__atomic_store_n(&labels->chunks[index / CHUNK], chunk, __ATOMIC_RELEASE);
	return 0;
}

int labels_add(struct labels *labels, const struct sink_label *label, const struct pf_condition *condition,
	       uint32_t *ret_number)
{
	uint32_t index = labels->n_labels;
	struct entry *entry;
	int r;

	if (index == LABELS_MAX)
		return -E2BIG;
	r = make_chunk(labels, index);
	if (r < 0)
		return r;
	entry = &labels->chunks[index / CHUNK][index % CHUNK];
	r = copy_label(labels, label, &entry->label);
	if (r < 0)
		return r;
	entry->condition = *condition;
	__atomic_store_n(&labels->n_labels, index + 1, __ATOMIC_RELEASE);
	*ret_number = index + 1;
	return 0;
}

static struct entry *find(const struct labels *labels, uint32_t number)
{
	if (!number || number > __atomic_load_n(&labels->n_labels, __ATOMIC_ACQUIRE))
		return NULL;
	number--;
	return &__atomic_load_n(&labels->chunks[number / CHUNK], __ATOMIC_ACQUIRE)[number % CHUNK];
}

const struct sink_label *labels_find(const struct labels *labels, uint32_t number)
{
	const struct entry *entry = find(labels, number);

	return entry && entry->label.name ? &entry->label : NULL;
}

const struct pf_condition *labels_condition(const struct labels *labels, uint32_t number)
{
	const struct entry *entry = find(labels, number);

	return entry ? &entry->condition : NULL;
}

void labels_set_any_call(struct labels *labels, uint32_t number)
{
	find(labels, number)->is_of_any_call = true;
}

bool labels_are_of_any_call(const struct labels *labels, uint32_t number)
{
	const struct entry *entry = find(labels, number);

	return entry && entry->is_of_any_call;
}

void labels_note_event(const struct labels *labels, uint32_t number)
{
	struct entry *entry = find(labels, number);

	if (entry)
		__atomic_store_n(&entry->has_event, true, __ATOMIC_RELAXED);
}

bool labels_have_event(const struct labels *labels, uint32_t number)
{
	const struct entry *entry = find(labels, number);

	return entry && __atomic_load_n(&entry->has_event, __ATOMIC_RELAXED);
}

uint32_t labels_reserve(struct labels *labels, uint32_t n)
{
	uint32_t first = labels->n_labels;

	if (n > LABELS_MAX - first)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (make_chunk(labels, first + i) < 0)
			return 0;
	labels->n_reserved += n;
	__atomic_store_n(&labels->n_labels, first + n, __ATOMIC_RELEASE);
	return first + 1;
}

void labels_set_told(struct labels *labels, uint32_t number, uint32_t first_told)
{
	find(labels, number)->first_told = first_told;
}

uint32_t labels_told(const struct labels *labels, uint32_t number)
{
	const struct entry *entry = find(labels, number);

	return entry ? entry->first_told : 0;
}

uint32_t labels_count(const struct labels *labels)
{
	return labels->n_labels - labels->n_reserved;
}

uint32_t labels_last(const struct labels *labels)
{
	return labels->n_labels;
}

bool labels_are_in(const struct labels *labels, const char *file_name)
{
	const struct category *category = __atomic_load_n(&labels->categories, __ATOMIC_ACQUIRE);

	while (category && strcmp(category->name, file_name) != 0)
		category = category->next;
	return category;
}
