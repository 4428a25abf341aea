/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What was captured, as JSON: numbers as numbers, unless a browser would round them, or JSON has no
 * word for them (NaN). A value that could not be read is null, and its name is in the list
 * "unreadable", so that it is no text that says so.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/put.h"

#define ELLIPSIS "\xe2\x80\xa6"

struct metric {
	const char *name;
	unsigned int divisor;
};

static const struct metric metrics[PF_METRIC_HW] = {
	[PF_METRIC_RSS] = {"memory_usage", 1024},
	[PF_METRIC_RSS_DELTA] = {"memory_delta", 1024},
	[PF_METRIC_MINOR_FAULTS] = {"minor_faults", 1},
	[PF_METRIC_MAJOR_FAULTS] = {"major_faults", 1},
	[PF_METRIC_VOLUNTARY] = {"voluntary_switches", 1},
	[PF_METRIC_INVOLUNTARY] = {"involuntary_switches", 1},
	[PF_METRIC_READ_BYTES] = {"read_bytes", 1},
	[PF_METRIC_WRITTEN_BYTES] = {"written_bytes", 1},
};

/* The least significant byte comes first on all machines that perfflow runs on. */
static uint64_t unsigned_value(const struct pf_item *item)
{
	uint64_t value = 0;

	memcpy(&value, item_value(item), item->size);
	return value;
}

static int64_t signed_value(const struct pf_item *item)
{
	unsigned int unused = 64 - 8 * item->size;

	return (int64_t)(unsigned_value(item) << unused) >> unused;
}

static double float_value(const struct pf_item *item)
{
	double value;
	float single;

	if (item->size == sizeof(single)) {
		memcpy(&single, item_value(item), sizeof(single));
		return single;
	}
	memcpy(&value, item_value(item), sizeof(value));
	return value;
}

/* Whether its bytes are a value of that format. */
static bool is_readable(const struct pf_item *item, enum sink_format format)
{
	if (item->is_missing)
		return false;
	if (format == SINK_STRING)
		return true;
	if (format == SINK_FLOAT)
		return item->size == sizeof(float) || item->size == sizeof(double);
	return item->size >= 1 && item->size <= sizeof(uint64_t);
}

/* What of a string that was cut ends with a whole character of UTF-8. */
static size_t whole_characters(const char *data, size_t size)
{
	size_t lead = size, length;

	while (lead > 0 && size - lead < 3 && (data[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead == 0)
		return size;
	lead--;
	switch ((unsigned char)data[lead] >> 4) {
	case 0xc:
	case 0xd:
		length = 2;
		break;
	case 0xe:
		length = 3;
		break;
	case 0xf:
		length = 4;
		break;
	default:
		return size;
	}
	return size - lead < length ? lead : size;
}

static int append_text(struct text *text, const struct pf_item *item)
{
	const char *data = item_value(item);
	int r;

	if (!item->is_cut)
		return text_append(text, data, item->size);
	r = text_append(text, data, whole_characters(data, item->size));
	return r ?: text_append(text, ELLIPSIS, sizeof(ELLIPSIS) - 1);
}

/* A byte of ASCII, or a code point of a wider type; what is none as its number. */
static int append_character(struct text *text, const struct pf_item *item)
{
	uint64_t code = unsigned_value(item);
	char bytes[4];

	if (code < 0x80) {
		bytes[0] = code;
		return text_append(text, bytes, 1);
	}
	if (item->size == 1 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return text_printf(text, "\\x%02llx", (unsigned long long)code);
	if (code < 0x800) {
		bytes[0] = 0xc0 | code >> 6;
		bytes[1] = 0x80 | (code & 0x3f);
		return text_append(text, bytes, 2);
	}
	if (code < 0x10000) {
		bytes[0] = 0xe0 | code >> 12;
		bytes[1] = 0x80 | (code >> 6 & 0x3f);
		bytes[2] = 0x80 | (code & 0x3f);
		return text_append(text, bytes, 3);
	}
	bytes[0] = 0xf0 | code >> 18;
	bytes[1] = 0x80 | (code >> 12 & 0x3f);
	bytes[2] = 0x80 | (code >> 6 & 0x3f);
	bytes[3] = 0x80 | (code & 0x3f);
	return text_append(text, bytes, 4);
}

/* The fewest digits that read back as the same number. */
static int append_float(struct text *text, const struct pf_item *item)
{
	bool is_single = item->size == sizeof(float);
	double value = float_value(item);
	char digits[40];

	if (isnan(value))
		return text_append(text, "NaN", 3);
	if (isinf(value))
		return text_printf(text, value < 0 ? "-Infinity" : "Infinity");
	for (int n = is_single ? FLT_DIG : DBL_DIG; n <= DBL_DECIMAL_DIG; n++) {
		snprintf(digits, sizeof(digits), "%.*g", n, value);
		if (is_single ? strtof(digits, NULL) == (float)value
			      : strtod(digits, NULL) == value)
			break;
	}
	return text_append(text, digits, strlen(digits));
}

/* The value as it would be printed, without quotes; it is readable. */
static int append_plain(struct text *text, const struct pf_item *item, enum sink_format format)
{
	char digits[PUT_NUMBER_BYTES];

	switch (format) {
	case SINK_SIGNED:
		return text_append(text, digits, put_signed(digits, signed_value(item)) - digits);
	case SINK_UNSIGNED:
		return text_append(text, digits, put_number(digits, unsigned_value(item)) - digits);
	case SINK_POINTER:
		return text_append(text, digits, put_hex(digits, unsigned_value(item)) - digits);
	case SINK_FLOAT:
		return append_float(text, item);
	case SINK_BOOL:
		return text_printf(text, unsigned_value(item) ? "true" : "false");
	case SINK_CHAR:
		return append_character(text, item);
	case SINK_STRING:
		return append_text(text, item);
	}
	return 0;
}

/* Whether it is a value of JSON as it is printed. */
static bool is_bare(const struct pf_item *item, enum sink_format format)
{
	int64_t value;

	switch (format) {
	case SINK_SIGNED:
		value = signed_value(item);
		return args_is_exact(value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	case SINK_UNSIGNED:
		return args_is_exact(unsigned_value(item));
	case SINK_FLOAT:
		return isfinite(float_value(item));
	case SINK_BOOL:
		return true;
	default:
		return false;
	}
}

static int append_value(struct chrome *chrome, const struct pf_item *item, enum sink_format format)
{
	struct text *plain = &chrome->symbol;
	int r;

	if (is_bare(item, format))
		return append_plain(&chrome->line, item, format);
	plain->size = 0;
	r = append_plain(plain, item, format);
	return r ?: args_quoted(&chrome->line, plain->data, plain->size);
}

/* It comes in eight bytes, whatever its own size. */
static int append_id(struct chrome *chrome, const struct pf_item *item,
		     const struct sink_label *label)
{
	struct {
		struct pf_item item;
		uint64_t value;
	} own = {.item = *item, .value = unsigned_value(item)};
	enum sink_format format = SINK_UNSIGNED;

	if (label->id_value >= 0 && (unsigned int)label->id_value < label->n_values) {
		const struct sink_value *value = &label->values[label->id_value];

		format = value->format == SINK_STRING ? SINK_POINTER : value->format;
		if (value->size >= 1 && value->size <= sizeof(own.value))
			own.item.size = value->size;
	}
	return append_value(chrome, &own.item, format);
}

static int append_address(struct chrome *chrome, const struct pf_event *event, uint64_t address)
{
	struct text *symbol = &chrome->symbol;
	int r = -1;

	symbol->size = 0;
	if (chrome->symbolize)
		r = chrome->symbolize(chrome->symbolize_opaque, event->pid, event->time_ns, address,
				      symbol);
	if (r < 0)
		r = text_printf(symbol, "0x%llx", (unsigned long long)address);
	return r < 0 ? r : args_quoted(&chrome->line, symbol->data, symbol->size);
}

static int append_stack(struct chrome *chrome, const struct pf_event *event,
			const struct pf_item *item)
{
	const uint64_t *addresses = item_value(item);
	int r = 0;

	for (size_t i = 0; r == 0 && i < item->size / sizeof(*addresses); i++) {
		r = text_append(&chrome->line, i ? "," : "[", 1);
		r = r ?: append_address(chrome, event, addresses[i]);
	}
	return r ?: text_printf(&chrome->line, item->size ? "]" : "[]");
}

static int append_metric(struct chrome *chrome, const struct pf_item *item)
{
	unsigned int divisor = item->index < PF_METRIC_HW ? metrics[item->index].divisor : 1;
	int64_t value = signed_value(item) / (int64_t)divisor;
	bool is_exact = args_is_exact(value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	char digits[PUT_NUMBER_BYTES + 2], *p = digits;

	if (!is_exact)
		*p++ = '"';
	p = put_signed(p, value);
	if (!is_exact)
		*p++ = '"';
	return text_append(&chrome->line, digits, p - digits);
}

/* Of the session's perf counters; NULL if there is none with that number. */
static const char *hw_name(const struct chrome *chrome, unsigned int number)
{
	const char *const *names = chrome->hw_names;

	for (; names && *names; names++) {
		if (number-- == 0)
			return *names;
	}
	return NULL;
}

/* Whether the item is one that the label speaks of, or needs no label. */
static bool is_known(const struct chrome *chrome, const struct pf_item *item,
		     const struct sink_label *label)
{
	switch (item->kind) {
	case PF_ITEM_ARGUMENT:
	case PF_ITEM_RETURN:
		return item->index < label->n_values;
	case PF_ITEM_METRIC:
		return item->index < PF_METRIC_HW ||
		       hw_name(chrome, item->index - PF_METRIC_HW) != NULL;
	default:
		return true;
	}
}

static bool item_is_readable(const struct pf_item *item, const struct sink_label *label)
{
	if (item->kind <= PF_ITEM_RETURN)
		return is_readable(item, label->values[item->index].format);
	return !item->is_missing;
}

/* Of what is no value of the label's. */
static const char *own_key(const struct chrome *chrome, const struct pf_item *item)
{
	switch (item->kind) {
	case PF_ITEM_STACK:
		return "stack";
	case PF_ITEM_METRIC:
		return item->index < PF_METRIC_HW ? metrics[item->index].name
						  : hw_name(chrome, item->index - PF_METRIC_HW);
	default:
		return "id";
	}
}

/* The key of a label's value is kept with its quotes, colon, and a comma before. */
static int append_key(struct chrome *chrome, const struct pf_item *item,
		      const struct prefix *prefix)
{
	struct text *line = &chrome->line;
	bool is_first = line->data[line->size - 1] == '{';
	uint32_t begin;

	if (item->kind > PF_ITEM_RETURN)
		return args_key(line, own_key(chrome, item));
	begin = prefix->keys[item->index];
	return text_append(line, prefix->data + begin + is_first,
			   prefix->keys[item->index + 1] - begin - is_first);
}

static int append_item(struct chrome *chrome, const struct pf_event *event,
		       const struct pf_item *item, const struct sink_label *label)
{
	if (!item_is_readable(item, label))
		return text_append(&chrome->line, "null", 4);
	switch (item->kind) {
	case PF_ITEM_ID:
		return append_id(chrome, item, label);
	case PF_ITEM_STACK:
		return append_stack(chrome, event, item);
	case PF_ITEM_METRIC:
		return append_metric(chrome, item);
	default:
		return append_value(chrome, item, label->values[item->index].format);
	}
}

static int append_unreadable(struct chrome *chrome, const struct event *event,
			     const struct sink_label *label, const struct prefix *prefix)
{
	const struct pf_item *item = NULL;
	struct text *line = &chrome->line;
	const char *before = "[";
	int r;

	r = args_key(line, "unreadable");
	while (r == 0 && (item = event_next_item(event, item))) {
		if (item_is_readable(item, label))
			continue;
		r = text_append(line, before, 1);
		if (item->kind > PF_ITEM_RETURN) {
			r = r ?: text_printf(line, "\"%s\"", own_key(chrome, item));
		} else { /* without comma and colon */
			uint32_t begin = prefix->keys[item->index] + 1;

			r = r ?: text_append(line, prefix->data + begin,
					     prefix->keys[item->index + 1] - 1 - begin);
		}
		before = ",";
	}
	return r ?: text_append(line, "]", 1);
}

static bool is_hidden(const struct pf_item *item, const struct sink_label *label)
{
	return item->kind == PF_ITEM_ARGUMENT && label->values[item->index].is_hidden;
}

int chrome_append_items(struct chrome *chrome, const struct event *event,
			const struct sink_label *label)
{
	const struct pf_item *item = NULL;
	bool all_readable = true;
	struct prefix prefix;
	int r;

	if (!event->items)
		return 0;
	r = chrome_find_prefix(chrome, event->header.joinpoint, label, &prefix);
	while (r == 0 && (item = event_next_item(event, item))) {
		if (!is_known(chrome, item, label))
			return -EBADMSG;
		if (is_hidden(item, label))
			continue;
		all_readable &= item_is_readable(item, label);
		r = append_key(chrome, item, &prefix);
		r = r ?: append_item(chrome, &event->header, item, label);
	}
	return r < 0 || all_readable ? r : append_unreadable(chrome, event, label, &prefix);
}

/* The text of a value of the label's, which *ret_text is left alone without. */
static int find_text(const struct event *event, const struct sink_label *label, int value,
		     struct text *buffer, const char **ret_text)
{
	const struct pf_item *item = NULL;
	enum sink_format format;
	int r;

	if (!event->items || value < 0 || (unsigned int)value >= label->n_values)
		return 0;
	while ((item = event_next_item(event, item))) {
		if (item->kind <= PF_ITEM_RETURN && item->index == value)
			break;
	}
	format = label->values[value].format;
	if (!item || !is_readable(item, format))
		return 0;

	buffer->size = 0;
	r = append_plain(buffer, item, format);
	if (r == 0 && buffer->size)
		*ret_text = buffer->data;
	return r;
}

int chrome_find_names(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char **ret_name,
		      const char **ret_category)
{
	int r;

	*ret_name = label->name;
	*ret_category = label->category;
	r = find_text(event, label, label->name_value, &chrome->name, ret_name);
	return r ?: find_text(event, label, label->category_value, &chrome->category, ret_category);
}

int chrome_find_scope(struct chrome *chrome, const struct event *event,
		      const struct sink_label *label, const char **ret_scope)
{
	*ret_scope = NULL;
	return find_text(event, label, label->scope_value, &chrome->scope, ret_scope);
}
