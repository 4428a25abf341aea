/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Events are copied as they stand, each on a line of its own. What is open at the end is ended
 * there, and a summary is written that counts what was copied and says that it is not all. Of a
 * trace to which nothing had to be done the summary stays as well.
 */
#include "convert/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "convert/format.h"

struct repair {
	struct reader *reader;
	struct target *target;
	struct check *check;
	struct repair_result *result;
	struct check_counts counts; /* of what was written */
	struct lanes lanes;
	struct calls calls;
	struct json_object *open_works; /* array of their begins */
	struct text line, summary;	/* summary: as it was */
	struct check_mark next_mark;	/* of number UINT64_MAX behind the last one */
	int64_t end_ns;			/* later than all that was there */
};

static int find_next_mark(struct repair *repair, struct why *why)
{
	const void *record;
	int r;

	r = sorter_next(repair->check->marked, &record, why);
	repair->next_mark = (struct check_mark){.number = UINT64_MAX};
	if (r > 0)
		memcpy(&repair->next_mark, record, sizeof(repair->next_mark));
	return r < 0 ? r : 0;
}

/* What the check has marked an event with; events are asked for in order. */
static int find_mark(struct repair *repair, uint64_t number, bool *ret_unsound, bool *ret_open,
		     struct why *why)
{
	int r = 0;

	*ret_unsound = *ret_open = false;
	while (r == 0 && repair->next_mark.number <= number) {
		if (repair->next_mark.number == number && repair->next_mark.is_open)
			*ret_open = true;
		else if (repair->next_mark.number == number)
			*ret_unsound = true;
		r = find_next_mark(repair, why);
	}
	return r;
}

/* Begins a line, with what stands between events. */
static int begin_line(struct repair *repair)
{
	repair->line.size = 0;
	return text_printf(&repair->line, "%s\n", repair->counts.events ? "," : "[");
}

static int write_line(struct repair *repair, struct why *why)
{
	return target_write(repair->target, &repair->line, why);
}

static int copy_event(struct repair *repair, const struct trace_event *event, struct why *why)
{
	const char *text = event->text;
	size_t size = event->size;
	int r;

	if (memchr(text, '\n', size)) {
		text = json_object_to_json_string_ext(
			event->json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		size = strlen(text);
	}
	r = begin_line(repair);
	r = r ?: text_append(&repair->line, text, size);
	check_count(&repair->counts, event);
	return r ?: write_line(repair, why);
}

static bool is_summary(const struct trace_event *event)
{
	return event->phase == 'M' && strcmp(event->name, "perfflow_summary") == 0;
}

static int keep_summary(struct repair *repair, const struct trace_event *event)
{
	repair->summary.size = 0;
	return text_append(&repair->summary, event->text, event->size);
}

static int take_event(struct repair *repair, const struct trace_event *event, struct why *why)
{
	bool is_unsound, is_open;
	struct call call;
	int r;

	if (is_summary(event))
		return keep_summary(repair, event);
	r = find_mark(repair, event->number, &is_unsound, &is_open, why);
	if (r == 0 && is_unsound)
		repair->result->n_left_out++;
	if (r < 0 || is_unsound)
		return r;
	if (is_open)
		json_object_array_add(repair->open_works, json_object_get(event->json));
	r = copy_event(repair, event, why);
	r = r ?: calls_push(&repair->calls, event);
	while (r == 0 && calls_pop(&repair->calls, &call))
		repair->counts.calls += event->phase != 'X'; /* those that came whole are counted */
	return r;
}

/* What is no event is passed over, and what was written since the check is left alone. */
static int copy_events(struct repair *repair, struct why *why)
{
	struct trace_event event;
	int r;

	for (;;) {
		struct why inner = {0};

		r = reader_next(repair->reader, &event, &inner);
		if (r == 0 || (r > 0 && event.number > repair->check->last_number))
			return 0;
		if (r == -EBADMSG) {
			repair->result->n_left_out++;
			continue;
		}
		r = r > 0 ? take_event(repair, &event, why)
			  : why_say(why, r, "%s", why_text(&inner, r));
		if (r < 0)
			return r;
	}
}

/* Writes the end of what `begin` began. */
static int write_end(struct repair *repair, struct json_object *begin, const char *phase,
		     struct why *why)
{
	static const char *const kept[] = {"name", "cat", "pid", "tid", "id", "id2", "scope"};
	struct json_object *member;
	struct text *line = &repair->line;
	int r;

	r = begin_line(repair);
	if (r == 0)
		r = text_printf(line, "{\"ph\":\"%s\",\"ts\":%" PRId64 ".%03u", phase,
				repair->end_ns / 1000, (unsigned int)(repair->end_ns % 1000));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kept); i++)
		if (json_object_object_get_ex(begin, kept[i], &member))
			r = text_printf(line, ",\"%s\":%s", kept[i],
					json_object_to_json_string_ext(
						member, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	/* speedscope takes the args of a B for a part of its name */
	if (r == 0)
		r = text_printf(line, "%s}",
				*phase == 'e' ? ",\"args\":{\"end\":\"unfinished\"}" : "");
	repair->counts.events++;
	repair->result->n_ended++;
	return r ?: write_line(repair, why);
}

static int end_what_is_open(struct repair *repair, struct why *why)
{
	struct json_object *works = repair->open_works;
	struct call call;
	int r = 0;

	calls_finish(&repair->calls);
	while (r == 0 && calls_pop(&repair->calls, &call)) {
		repair->counts.calls++;
		r = write_end(repair, call.json, "E", why);
	}
	for (size_t i = 0; r == 0 && i < json_object_array_length(works); i++)
		r = write_end(repair, json_object_array_get_idx(works, i), "e", why);
	return r;
}

static bool has_changed(const struct repair *repair)
{
	const struct check *check = repair->check;

	return check->verdict == CHECK_BROKEN || !repair->summary.size ||
	       repair->result->n_left_out || repair->result->n_ended ||
	       repair->counts.calls != check->counts.calls;
}

static void set_count(struct json_object *object, const char *name, uint64_t count)
{
	json_object_object_add(object, name, json_object_new_uint64(count));
}

static struct json_object *describe_ends(const struct check_counts *counts)
{
	struct json_object *ends = json_object_new_object();

	for (unsigned int end = 0; end < PF_N_ENDS; end++)
		set_count(ends, event_end_name(end) ? event_end_name(end) : "return",
			  counts->ends[end]);
	return ends;
}

static void add_warning(struct json_object *warnings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_warning(struct json_object *warnings, const char *format, ...)
{
	_cleanup_free_ char *raw = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&raw, format, arguments) < 0)
		raw = NULL;
	va_end(arguments);
	if (raw)
		json_object_array_add(warnings, json_object_new_string(raw));
}

/* What the repaired trace lacks, beside what its summary said already. */
static void add_warnings(const struct repair *repair, struct json_object *warnings)
{
	const struct check *check = repair->check;
	uint64_t n_counted = json_member_count(check->facts.summary, "spans");
	char when[96] = "its beginning";

	if (check->has_times)
		check_format_time(check, check->last_ns, when);
	if (!check->facts.summary)
		add_warning(warnings,
			    "cut off after %s and repaired: what was lost before is not known",
			    when);
	else if (repair->counts.calls < n_counted)
		add_warning(warnings, "damaged and repaired: calls that are missing: %" PRIu64,
			    n_counted - repair->counts.calls);
	if (check->n_faults || repair->result->n_left_out)
		add_warning(
			warnings,
			"not sound when it was repaired: faults: %zu, events left out: %" PRIu64,
			check->n_faults, repair->result->n_left_out);
	if (repair->result->n_ended)
		add_warning(
			warnings,
			"calls and asynchronous work that were open when it was cut off: %" PRIu64,
			repair->result->n_ended);
}

/* The args of the summary as they were, with what is true now. */
static struct json_object *describe(const struct repair *repair)
{
	const struct check *check = repair->check;
	struct json_object *args = NULL, *warnings;

	if (check->facts.summary)
		json_object_deep_copy(check->facts.summary, &args, NULL);
	if (!args) {
		args = json_object_new_object();
		json_object_object_add(args, "reason", json_object_new_string("cut off"));
		set_count(args, "processes", facts_n_processes(&check->facts));
	}
	set_count(args, "spans", repair->counts.calls);
	set_count(args, "marks", repair->counts.marks);
	json_object_object_add(args, "ends", describe_ends(&repair->counts));
	warnings = json_member(args, "warnings", json_type_array);
	if (!warnings) {
		warnings = json_object_new_array();
		json_object_object_add(args, "warnings", warnings);
	}
	add_warnings(repair, warnings);
	json_object_object_add(args, "complete", json_object_new_boolean(false));
	return args;
}

static int write_summary(struct repair *repair, struct why *why)
{
	struct json_object *args;
	int r;

	if (!repair->check->facts.is_ours)
		return 0;
	r = begin_line(repair);
	if (!has_changed(repair)) {
		r = r ?: text_append(&repair->line, repair->summary.data, repair->summary.size);
		return r ?: write_line(repair, why);
	}
	args = describe(repair);
	if (r == 0)
		r = text_printf(
			&repair->line,
			"{\"name\":\"perfflow_summary\",\"cat\":\"__metadata\",\"ph\":"
			"\"M\",\"ts\":%" PRId64
			".%03u,\"pid\":0,\"tid\":0,\"argsStripped\":true,\"args\":%s}",
			repair->end_ns / 1000, (unsigned int)(repair->end_ns % 1000),
			json_object_to_json_string_ext(
				args, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(args);
	return r ?: write_line(repair, why);
}

static int write_bracket(struct repair *repair, struct why *why)
{
	int r;

	repair->line.size = 0;
	r = text_printf(&repair->line, "\n]\n");
	return r ?: write_line(repair, why);
}

static int write_all(struct repair *repair, const char *const *inputs, const char *output, struct why *why)
{
	int r;

	r = target_new(output, inputs, &repair->target, why);
	if (r < 0)
		return r;
	if (target_is_folder(repair->target))
		return why_say(why, -EISDIR, "'%s' is a folder: name a file", output);
	target_keep_files(repair->target);
	r = target_begin(repair->target, NULL, why);
	r = r ?: copy_events(repair, why);
	r = r ?: end_what_is_open(repair, why);
	r = r ?: write_summary(repair, why);
	r = r ?: write_bracket(repair, why);
	return r ?: target_end(repair->target, why);
}

static int64_t time_after(const struct check *check)
{
	if (!check->has_times)
		return 0;
	return check->last_ns < FORMAT_EXACT_NS ? check->last_ns + 1
						: (check->last_ns / 1000 + 1) * 1000;
}

int repair_trace(const char *path, struct check *check, const char *output,
		 struct repair_result *ret_result, struct why *why)
{
	struct repair repair = {.check = check, .result = ret_result, .end_ns = time_after(check)};
	const char *const inputs[] = {path, NULL};
	int r;

	*ret_result = (struct repair_result){0};
	calls_init(&repair.calls, &repair.lanes);
	repair.open_works = json_object_new_array();
	if (!repair.open_works)
		return -ENOMEM;
	r = reader_open(path, &repair.reader, why);
	r = r ?: find_next_mark(&repair, why);
	r = r ?: write_all(&repair, inputs, output, why);
	target_free(repair.target);
	reader_free(repair.reader);
	calls_done(&repair.calls);
	json_object_put(repair.open_works);
	lanes_done(&repair.lanes);
	text_done(&repair.line);
	text_done(&repair.summary);
	return r;
}
