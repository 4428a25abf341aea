/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * report.c - what people read
 *
 * All of it goes to stderr, since standard output may be the trace. Names come from the binaries of
 * anybody, so what could command a terminal is taken out before it is printed.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"

int text_append_clean(struct text *text, const char *data)
{
	size_t start = text->size;
	int r;

	r = text_append(text, data, strlen(data));
	if (r < 0)
		return r;

	for (size_t i = start; i < text->size; i++)
		if ((unsigned char)text->data[i] < ' ' || text->data[i] == 0x7f)
			text->data[i] = '?';

	return 0;
}

void report(const char *format, ...)
{
	_cleanup_(text_done) struct text sentence = {0};
	char *raw = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&raw, format, arguments) < 0)
		raw = NULL;
	va_end(arguments);

	if (raw && text_append_clean(&sentence, raw) == 0)
		fprintf(stderr, "perfflow: %s\n", sentence.data);
	free(raw);
}

void report_column(const char *aspect, size_t column)
{
	_cleanup_(text_done) struct text line = {0};

	if (text_append_clean(&line, aspect) < 0)
		return;

	fprintf(stderr, "  %s\n  ", line.data);
	for (size_t i = 0; i < column && i < line.size; i++)
		if (((unsigned char)line.data[i] & 0xc0) !=
		    0x80) /* UTF-8: one column a character, not a byte */
			fputc(' ', stderr);
	fputs("^\n", stderr);
}

void report_candidates(const struct strings *candidates)
{
	_cleanup_(text_done) struct text list = {0};

	for (size_t i = 0; i < candidates->n_items; i++)
		text_printf(&list, "%s%s", i > 0 ? ", " : "", candidates->items[i]);
	if (list.size > 0)
		report("did you mean: %s", list.data);
}

struct json_object *member_object(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *member = NULL;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, type))
		return NULL;

	return member;
}

int64_t member_number(struct json_object *object, const char *name)
{
	return json_object_get_int64(member_object(object, name, json_type_int));
}

const char *member_string(struct json_object *object, const char *name)
{
	struct json_object *member = member_object(object, name, json_type_string);

	return member ? json_object_get_string(member) : "";
}

void report_error(const struct reply *reply)
{
	struct json_object *candidates =
		member_object(reply->parameters, "candidates", json_type_array);
	_cleanup_(strings_done) struct strings list = {0};
	const char *message = member_string(reply->parameters, "message");

	if (*message)
		report("%s", message);
	else
		report("perfflowd answers %s %s", reply->error,
		       json_object_to_json_string(reply->parameters));

	if (strcmp(reply->error, "io.perfflow.BadAspect") == 0 &&
	    member_number(reply->parameters, "column") > 0)
		report_column(member_string(reply->parameters, "aspect"),
			      (size_t)member_number(reply->parameters, "column") - 1);
	for (size_t i = 0; candidates && i < json_object_array_length(candidates); i++)
		strings_add(&list,
			    json_object_get_string(json_object_array_get_idx(candidates, i)));
	report_candidates(&list);
}

#define COUNT_BYTES 160

/* "12,345 spans", "1 span": the buffer has COUNT_BYTES */
static const char *count(char *buffer, int64_t number, const char *one, const char *many)
{
	char digits[32];
	size_t n, size = 0;

	n = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	for (size_t i = 0; i < n; i++) {
		buffer[size++] = digits[i];
		if ((n - i) % 3 == 1 && i + 1 < n)
			buffer[size++] = ',';
	}
	snprintf(buffer + size, COUNT_BYTES - size, " %s", number == 1 ? one : many);

	return buffer;
}

/* What is missing, in words. */
static const struct {
	const char *name, *one, *many;
} losses_known[] = {
	{"ring_full", "record that found no room in a ring", "records that found no room in a ring"},
	{"too_deep", "call nested too deep", "calls nested too deep"},
	{"no_thread_state", "call of a thread without memory", "calls of threads without memory"},
	{"no_process", "process beyond the most that are followed", "processes beyond the most that are followed"},
	{"items", "span or mark without its arguments, metrics or stack", "spans and marks without their arguments, metrics or stack"},
	{"over_rate", "record beyond what may be sent in a second", "records beyond what may be sent in a second"},
	{"bad_records", "record that could not be understood", "records that could not be understood"},
	{"not_written", "event that could not be written", "events that could not be written"},
	{"missed_runs", "run of the kernel side that the kernel left out", "runs of the kernel side that the kernel left out"},
};

static void append_loss(struct text *list, const char *name, int64_t number)
{
	const char *one = name, *many = name;
	char buffer[COUNT_BYTES];

	if (number <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(losses_known); i++) {
		if (strcmp(losses_known[i].name, name) == 0) {
			one = losses_known[i].one;
			many = losses_known[i].many;
		}
	}
	text_printf(list, "%s%s", list->size > 0 ? ", " : "", count(buffer, number, one, many));
}

static void report_limited(struct json_object *session)
{
	struct json_object *limited = member_object(session, "limited", json_type_array);
	int64_t left_out = member_number(session, "left_out");
	size_t n = limited ? json_object_array_length(limited) : 0;
	char calls[COUNT_BYTES];

	if (left_out)
		report("left out of functions that were sampled to keep the budget: %s", count(calls, left_out, "call", "calls"));
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(limited, i);

		report("'%s' (%s) is %s at the end, to keep the budget", member_string(item, "function"),
		       member_string(item, "module"), member_string(item, "state"));
	}
}

static void report_losses(struct json_object *session)
{
	struct json_object *losses = member_object(session, "losses", json_type_object);
	struct json_object *warnings = member_object(session, "warnings", json_type_array);
	struct json_object *limited = member_object(session, "limited", json_type_array);
	_cleanup_(text_done) struct text list = {0};
	bool is_limited = member_number(session, "left_out") || (limited && json_object_array_length(limited));

	report_limited(session);
	if (member_number(session, "lost") == 0) {
		if (is_limited)
			report("nothing else was lost");
		else
			report(warnings && json_object_array_length(warnings)
				       ? "nothing was lost of what was woven; see the warnings"
				       : "complete: nothing was lost");
		return;
	}

	if (losses) {
		json_object_object_foreach (losses, name, value)
			append_loss(&list, name, json_object_get_int64(value));
	}
	report("missing: %s", list.data ? list.data : "something, for reasons unknown");
}

static void report_place(struct json_object *session, bool has_trace, const char *trace_name)
{
	int64_t n_files = member_number(session, "pfw_files");
	char size[32], files[COUNT_BYTES];

	text_format_bytes(size, (unsigned long long)member_number(session, "bytes"));
	if (has_trace && member_number(session, "pieces") > 0)
		report("trace: %s of %s, the first is %s; each can be opened at https://ui.perfetto.dev",
		       count(files, member_number(session, "pieces"), "piece", "pieces"), size, trace_name);
	else if (has_trace && trace_name)
		report("trace: %s (%s); open it at https://ui.perfetto.dev or with "
		       "chrome://tracing",
		       trace_name, size);
	else if (has_trace)
		report("trace: standard output (%s)", size);
	if (!has_trace || n_files > 0)
		report("%s of PerfFlowAspect's form", count(files, n_files, "file", "files"));
}

void report_summary(struct json_object *session, bool has_trace, const char *trace_name)
{
	struct json_object *warnings = member_object(session, "warnings", json_type_array);
	char processes[COUNT_BYTES], spans[COUNT_BYTES], marks[COUNT_BYTES + 2] = "", functions[COUNT_BYTES], binaries[COUNT_BYTES];
	int64_t n_marks = member_number(session, "marks");

	for (size_t i = 0; warnings && i < json_object_array_length(warnings); i++)
		report("warning: %s",
		       json_object_get_string(json_object_array_get_idx(warnings, i)));
	if (n_marks) {
		strcpy(marks, ", ");
		count(marks + 2, n_marks, "mark", "marks");
	}
	report("%s, %s%s of %s in %s",
	       count(processes, member_number(session, "processes"), "process", "processes"),
	       count(spans, member_number(session, "spans"), "span", "spans"), marks,
	       count(functions, member_number(session, "functions"), "function", "functions"),
	       count(binaries, member_number(session, "binaries"), "binary", "binaries"));
	report_losses(session);
	report_place(session, has_trace, trace_name);
}

static void append_scope(struct text *line, struct json_object *scope)
{
	struct json_object *command = member_object(scope, "command", json_type_array);
	const char *binary = member_string(scope, "binary");

	if (*binary) {
		text_append_clean(line, binary);
		return;
	}

	text_printf(line, "pid %lld", (long long)member_number(scope, "pid"));
	if (command && json_object_array_length(command) > 0) {
		text_append(line, " ", 1);
		text_append_clean(line, text_file_name(json_object_get_string(
						json_object_array_get_idx(command, 0))));
	}
}

static void append_aspects(struct text *line, struct json_object *aspects)
{
	for (size_t i = 0; aspects && i < json_object_array_length(aspects); i++) {
		if (i > 0)
			text_append(line, ", ", 2);
		text_append_clean(line,
				  json_object_get_string(json_object_array_get_idx(aspects, i)));
	}
}

/* Functions that the budget has something left out of, each on a line below its session. */
static void print_limited(struct json_object *limited)
{
	for (size_t i = 0; limited && i < json_object_array_length(limited); i++) {
		struct json_object *item = json_object_array_get_idx(limited, i);
		_cleanup_(text_done) struct text function = {0}, module = {0};
		long long permille = member_number(item, "permille");

		if (text_append_clean(&function, member_string(item, "function")) < 0 ||
		    text_append_clean(&module, member_string(item, "module")) < 0)
			return;
		printf("     %s: '%s' (%s) cost thread %lld of process %lld %lld.%lld%% of its time\n",
		       member_string(item, "state"), function.data, module.data,
		       (long long)member_number(item, "tid"), (long long)member_number(item, "pid"), permille / 10,
		       permille % 10);
	}
}

/* Nobody knows what there was in the end of a session that was cut. */
static const char *table_number(struct json_object *session, const char *name, char buffer[32])
{
	if (strcmp(member_string(session, "state"), "cut") == 0)
		return "?";
	snprintf(buffer, 32, "%lld", (long long)member_number(session, name));
	return buffer;
}

static void report_session(struct json_object *session)
{
	_cleanup_(text_done) struct text scope = {0}, aspects = {0}, reason = {0};
	time_t started = (time_t)(member_number(session, "started_us") / 1000000);
	char when[32] = "", spans[32], lost[32];
	struct tm local;

	append_scope(&scope, member_object(session, "scope", json_type_object));
	append_aspects(&aspects, member_object(session, "aspects", json_type_array));
	text_append_clean(&reason, member_string(session, "reason"));
	if (localtime_r(&started, &local))
		strftime(when, sizeof(when), "%F %T", &local);

	printf("%-4lld %-8s %-19s %9lld %11s %8s  %-24s %s", (long long)member_number(session, "id"),
	       member_string(session, "state"), when, (long long)member_number(session, "functions"),
	       table_number(session, "spans", spans), table_number(session, "lost", lost), scope.data ? scope.data : "",
	       aspects.data ? aspects.data : "");
	if (reason.size > 0)
		printf("  (%s)", reason.data);
	putchar('\n');
	print_limited(member_object(session, "limited", json_type_array));
}

void report_sessions(struct json_object *sessions)
{
	printf("%-4s %-8s %-19s %9s %11s %8s  %-24s %s\n", "ID", "STATE", "STARTED", "FUNCTIONS",
	       "SPANS", "LOST", "SCOPE", "ASPECTS");
	for (size_t i = 0; sessions && i < json_object_array_length(sessions); i++)
		report_session(json_object_array_get_idx(sessions, i));
}

void report_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
}
