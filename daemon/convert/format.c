/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "convert/format.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

bool event_is_mark(const struct trace_event *event)
{
	return event->phase == 'i' || event->phase == 'I' || event->phase == 'R';
}

struct nest_item format_item(const struct call *call)
{
	return (struct nest_item){
		.start_ns = call->start_ns,
		.end_ns = call->end_ns,
		.number = call->end_number,
		.line = call->line,
		.process = call->lane->process,
		.lane = call->lane->number,
	};
}

static double number_in(struct json_object *args, const char *name)
{
	struct json_object *member = NULL;

	if (!args || !json_object_object_get_ex(args, name, &member))
		return 0;
	if (!json_object_is_type(member, json_type_int) &&
	    !json_object_is_type(member, json_type_double))
		return 0;
	return json_object_get_double(member);
}

uint32_t format_cpu_usage(struct json_object *args)
{
	double usage = round(number_in(args, "cpu_usage") * 100);

	return usage > 0 && usage < UINT32_MAX ? usage : 0;
}

uint64_t format_memory_kib(struct json_object *args)
{
	double kib = round(number_in(args, "memory_usage"));

	return kib > 0 && kib < 0x1p63 ? kib : 0;
}

int format_append_string(struct text *text, const char *string)
{
	int r;

	r = text_append(text, "\"", 1);
	r = r ?: text_append_json(text, string, strlen(string));
	r = r ?: text_append(text, "\"", 1);
	return r;
}

int format_append_us(struct text *text, int64_t ns)
{
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";

	if (ns >= FORMAT_EXACT_NS)
		return text_printf(text, "%" PRIu64 ".0", size / 1000);
	return text_printf(text, "%s%" PRIu64 ".%03u", sign, size / 1000,
			   (unsigned int)(size % 1000));
}
