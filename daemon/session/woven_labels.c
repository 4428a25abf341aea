/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A label is found by all that it depends on, as one text. Where the pointcut is not among it, which programs do not tell that
 * were woven before 2025, what the kernel side has made of the call does: a span, or the mark of an end that has no beginning.
 */
#include "session/woven_labels.h"

#include <errno.h>
#include <string.h>

#include "binary/symbol.h"
#include "binary/unit.h"
#include "probe/woven.h"
#include "inspect/critical_path.h"
#include "util/hash.h"

#define NOT_SAID   "NA"
#define MAX_LABELS 65536 /* then functions that are new are not told apart */

struct label {
	struct sink_label label;
	struct sink_value values[WOVEN_N_VALUES];
	uint32_t index;
	struct label *next; /* with the same hash */
	char *name, *function, *module, *scope;
	char key[];
};

struct woven_labels {
	struct hash labels; /* of their keys -> struct label, owned */
	uint32_t n_labels;
	struct text key;
};

struct told { /* by one call of the runtime; the texts are as they are in the program */
	char texts[WOVEN_N_VALUES][PF_MAX_STRING_BYTES + 1];
	enum annotation_pointcut pointcut;
	enum annotation_flow flow;
};

int woven_labels_new(struct woven_labels **ret_labels)
{
	*ret_labels = calloc(1, sizeof(**ret_labels));
	return *ret_labels ? 0 : -ENOMEM;
}

static void label_free(struct label *label)
{
	if (!label)
		return;
	free(label->name);
	free(label->function);
	free(label->module);
	free(label->scope);
	free(label);
}
DEFINE_CLEANUP(struct label, label_free)

void woven_labels_free(struct woven_labels *labels)
{
	struct label *label, *next;
	size_t cursor = 0;

	if (!labels)
		return;
	while ((label = hash_next(&labels->labels, &cursor, NULL))) {
		for (; label; label = next) {
			next = label->next;
			label_free(label);
		}
	}
	hash_done(&labels->labels);
	text_done(&labels->key);
	free(labels);
}

/* Returns whether the call is asynchronous. */
static bool take_texts(const struct event *event, struct told *told)
{
	const struct pf_item *item = NULL;
	bool is_async = false;

	for (int i = 0; i < WOVEN_N_VALUES; i++)
		told->texts[i][0] = '\0';
	while (event->items && (item = event_next_item(event, item))) {
		if (item->kind != PF_ITEM_ARGUMENT || item->index >= WOVEN_N_VALUES || item->is_missing)
			continue;
		if (item->index == WOVEN_ASYNC) {
			is_async = *(const char *)item_value(item);
			continue;
		}
		memcpy(told->texts[item->index], item_value(item), item->size);
		told->texts[item->index][item->size] = '\0';
	}
	return is_async;
}

static enum annotation_pointcut find_pointcut(const struct event *event, bool is_async, const char *text)
{
	if (event->header.kind == PF_EVENT_SPAN)
		return ANNOTATION_AROUND;
	for (int i = is_async ? ANNOTATION_AROUND_ASYNC : ANNOTATION_BEFORE; i < ANNOTATION_N_POINTCUTS; i++) {
		if (strcmp(text, annotation_pointcut_name(i)) == 0)
			return i;
	}
	if (is_async)
		return ANNOTATION_AROUND_ASYNC;
	return event->mark.moment == PF_MOMENT_ENTRY ? ANNOTATION_BEFORE : ANNOTATION_AFTER;
}

static enum annotation_flow find_flow(const char *text)
{
	for (int i = ANNOTATION_FLOW_IN; i < ANNOTATION_N_FLOWS; i++) {
		if (strcmp(text, annotation_flow_name(i)) == 0)
			return i;
	}
	return ANNOTATION_FLOW_NONE;
}

static void take(const struct event *event, struct told *told)
{
	bool is_async = take_texts(event, told);

	told->pointcut = find_pointcut(event, is_async, told->texts[WOVEN_POINTCUT]);
	told->flow = find_flow(told->texts[WOVEN_FLOW]);
	if (strcmp(told->texts[WOVEN_SCOPE], NOT_SAID) == 0)
		told->texts[WOVEN_SCOPE][0] = '\0';
	if (!told->texts[WOVEN_FUNCTION][0])
		strcpy(told->texts[WOVEN_FUNCTION], "unreadable");
}

static int make_key(struct woven_labels *labels, const struct told *told)
{
	labels->key.size = 0;
	return text_printf(&labels->key, "%d %d %s\n%s\n%s", told->pointcut, told->flow, told->texts[WOVEN_FUNCTION],
			   told->texts[WOVEN_MODULE], told->texts[WOVEN_SCOPE]);
}

static int set_names(struct label *label, const struct told *told)
{
	const char *linker_name = told->texts[WOVEN_FUNCTION];
	int r;

	r = symbol_demangle(linker_name, false, &label->name);
	if (r == -ENOENT)
		label->name = strdup(linker_name);
	else if (r < 0)
		return r;
	r = units_name_function(linker_name, &label->function);
	label->module = strdup(told->texts[WOVEN_MODULE]);
	if (told->texts[WOVEN_SCOPE][0] && !(label->scope = strdup(told->texts[WOVEN_SCOPE])))
		return -ENOMEM;
	return r == 0 && (!label->name || !label->module) ? -ENOMEM : r;
}

static int make_label(struct woven_labels *labels, const struct told *told, struct label **ret_label)
{
	_cleanup_(label_freep) struct label *label = calloc(1, sizeof(*label) + labels->key.size + 1);
	int r;

	if (!label)
		return -ENOMEM;
	memcpy(label->key, labels->key.data, labels->key.size);
	r = set_names(label, told);
	if (r < 0)
		return r;
	for (int i = 0; i < WOVEN_N_VALUES; i++)
		label->values[i] = (struct sink_value){ .name = "", .format = i == WOVEN_ASYNC ? SINK_SIGNED : SINK_STRING,
							.size = i == WOVEN_ASYNC ? sizeof(int) : 0, .is_hidden = true };
	label->label = (struct sink_label){
		.name = label->name,
		.category = label->module,
		.kind = critical_path_sink_kind(told->pointcut),
		.values = label->values,
		.n_values = WOVEN_N_VALUES,
		.name_value = -1,
		.category_value = -1,
		.scope_value = -1,
		.id_value = -1,
		.function = label->function,
		.module = label->module,
		.scope = label->scope,
		.flow = critical_path_flow(told->flow),
	};
	label->index = labels->n_labels++;
	*ret_label = take_ptr(label);
	return 0;
}

static bool is_full(const struct woven_labels *labels)
{
	return labels->n_labels >= MAX_LABELS;
}

/* *ret_label is left alone where there are too many. */
static int find_label(struct woven_labels *labels, const struct told *told, struct label **ret_label)
{
	struct label *first, *label;
	uint64_t hash;
	int r;

	r = make_key(labels, told);
	if (r < 0)
		return r;
	hash = hash_bytes(labels->key.data, labels->key.size);
	first = hash_find(&labels->labels, hash);
	for (label = first; label && strcmp(label->key, labels->key.data) != 0;)
		label = label->next;
	if (!label && is_full(labels) && told->texts[WOVEN_MODULE][0])
		return 0;
	if (!label) {
		r = make_label(labels, told, &label);
		if (r < 0)
			return r;
		label->next = first;
		r = hash_put(&labels->labels, hash, label);
		if (r < 0) {
			label_free(label);
			return r;
		}
	}
	*ret_label = label;
	return 0;
}

static void drop_names(struct told *told)
{
	strcpy(told->texts[WOVEN_FUNCTION], "others");
	told->texts[WOVEN_MODULE][0] = told->texts[WOVEN_SCOPE][0] = '\0';
}

int woven_labels_find(struct woven_labels *labels, const struct event *event, uint32_t first_number,
		      const struct sink_label **ret_label, uint32_t *ret_number)
{
	struct label *label = NULL;
	struct told told;
	int r;

	take(event, &told);
	r = find_label(labels, &told, &label);
	if (r >= 0 && !label) {
		drop_names(&told);
		r = find_label(labels, &told, &label);
	}
	if (r < 0)
		return r;
	*ret_label = &label->label;
	*ret_number = label->index < WOVEN_LABELS_NUMBERS ? first_number + label->index : UINT32_MAX;
	return 0;
}
