/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* RFC 4180: a header, one row a call, lines end in CR LF. What is known of every call has a column
 * of its own, whatever else its args hold is one column of JSON. */
#include "convert/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *const arg_columns[] = {
	"cpu_usage",
	"oncpu_us",
	"runnable_us",
	"blocked_us",
	"io_us",
	"memory_usage",
	"memory_delta",
	"minor_faults",
	"major_faults",
	"voluntary_switches",
	"involuntary_switches",
	"read_bytes",
	"written_bytes",
	"begin",
	"end",
	"id",
	"return",
};

static int append_field(struct text *line, const char *text)
{
	int r;

	if (!strpbrk(text, ",\"\r\n"))
		return text_append(line, text, strlen(text));
	r = text_append(line, "\"", 1);
	for (; r == 0 && *text; text++) {
		if (*text == '"')
			r = text_append(line, "\"", 1);
		r = r ?: text_append(line, text, 1);
	}
	return r ?: text_append(line, "\"", 1);
}

/* A field with the comma before it. */
static int append_next(struct text *line, const char *text)
{
	int r = text_append(line, ",", 1);

	return r ?: append_field(line, text);
}

static int csv_begin(struct conversion *conversion, struct why *why)
{
	struct text *line = &conversion->line;
	int r;

	line->size = 0;
	r = text_printf(line,
			"kind,name,category,process,pid,thread,tid,time,start_us,duration_us");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(arg_columns); i++)
		r = append_next(line, arg_columns[i]);
	r = r ?: text_printf(line, ",args\r\n");
	r = r ?: target_begin(conversion->target, "calls.csv", why);
	return r ?: target_write(conversion->target, line, why);
}

/* "2026-11-22T13:33:01.123456789Z", or nothing where the trace does not tell. */
static int append_time(struct conversion *conversion, int64_t time_ns)
{
	char date[32];
	struct tm tm;
	int64_t ns;
	time_t s;

	if (!facts_unix_ns(&conversion->facts, time_ns, &ns) || ns < 0)
		return text_append(&conversion->line, ",", 1);
	s = ns / 1000000000;
	if (!gmtime_r(&s, &tm) || !strftime(date, sizeof(date), "%FT%T", &tm))
		return text_append(&conversion->line, ",", 1);
	return text_printf(&conversion->line, ",%s.%09" PRId64 "Z", date, ns % 1000000000);
}

static int append_us(struct text *line, int64_t ns)
{
	int r = text_append(line, ",", 1);

	if (r < 0)
		return r;
	return text_printf(line, "%" PRId64 ".%03u", ns / 1000,
			   (unsigned int)(ns < 0 ? -(ns % 1000) : ns % 1000));
}

static int append_who(struct conversion *conversion, const struct lane *lane)
{
	struct text *line = &conversion->line;
	int r;

	r = append_next(line, facts_process_name(&conversion->facts, lane->pid));
	r = r ?: text_printf(line, ",%" PRId64, lane->pid);
	r = r ?: append_next(line, facts_thread_name(&conversion->facts, lane));
	return r ?: text_printf(line, ",%" PRId64, lane->tid);
}

static bool has_column(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(arg_columns); i++)
		if (strcmp(arg_columns[i], name) == 0)
			return true;
	return false;
}

static const char *json_text(struct json_object *value)
{
	return json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : json_object_to_json_string_ext(
				 value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* What has no column, as one object; nothing if there is none. */
static int append_rest(struct text *line, struct json_object *args)
{
	struct json_object *rest = json_object_new_object();
	int r = 0;

	if (!rest)
		return -ENOMEM;
	if (args) {
		json_object_object_foreach (args, key, value) {
			if (!has_column(key))
				json_object_object_add(rest, key, json_object_get(value));
		}
	}
	r = append_next(line, json_object_object_length(rest) ? json_text(rest) : "");
	json_object_put(rest);
	return r;
}

static int append_args(struct text *line, struct json_object *args, const char *end)
{
	struct json_object *value;
	const char *text;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(arg_columns); i++) {
		text = args && json_object_object_get_ex(args, arg_columns[i], &value)
			       ? json_text(value)
			       : "";
		if (end && strcmp(arg_columns[i], "end") == 0)
			text = end;
		r = append_next(line, text);
	}
	return r ?: append_rest(line, args);
}

static int write_row(struct conversion *conversion, const char *kind, const struct call *call,
		     bool has_duration, struct why *why)
{
	struct text *line = &conversion->line;
	int r;

	line->size = 0;
	r = text_printf(line, "%s", kind);
	r = r ?: append_next(line, call->name);
	r = r ?: append_next(line, call->category);
	r = r ?: append_who(conversion, call->lane);
	r = r ?: append_time(conversion, call->start_ns);
	r = r ?: append_us(line, call->start_ns);
	if (r == 0)
		r = has_duration ? append_us(line, call->end_ns - call->start_ns)
				 : text_append(line, ",", 1);
	r = r ?: append_args(line, call->args, call->end);
	r = r ?: text_append(line, "\r\n", 2);
	return r ?: target_write(conversion->target, line, why);
}

static int csv_call(struct conversion *conversion, const struct call *call, struct why *why)
{
	return write_row(conversion, "call", call, true, why);
}

static int csv_work(struct conversion *conversion, const struct call *work, struct why *why)
{
	return write_row(conversion, "async", work, true, why);
}

static int csv_event(struct conversion *conversion, const struct trace_event *event,
		     struct why *why)
{
	struct call mark = {.start_ns = event->time_ns,
			    .name = event->name,
			    .category = event->category,
			    .args = event->args};
	bool is_process;
	int r;

	if (!event_is_mark(event) || !(event->has & EVENT_TIME))
		return 0;
	mark.lane = lanes_find(&conversion->lanes, event->pid, event->tid);
	if (!mark.lane)
		return -ENOMEM;
	/* what is said of a whole process is no mark of a function */
	is_process = strcmp(json_member_text(event->json, "s"), "p") == 0;
	r = write_row(conversion, is_process ? "process" : "mark", &mark, false, why);
	return r < 0 ? r : 1;
}

static int csv_finish(struct conversion *conversion, struct why *why)
{
	(void)conversion;
	(void)why;
	return 0;
}

const struct format format_csv = {
	.name = "csv",
	.size = sizeof(struct conversion),
	.begin = csv_begin,
	.call = csv_call,
	.work = csv_work,
	.event = csv_event,
	.finish = csv_finish,
};
