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

/* "12,345 spans", "1 span" */
static const char *count(char buffer[64], int64_t number, const char *one, const char *many)
{
	char digits[32];
	size_t n, size = 0;

	n = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
	for (size_t i = 0; i < n; i++) {
		buffer[size++] = digits[i];
		if ((n - i) % 3 == 1 && i + 1 < n)
			buffer[size++] = ',';
	}
	snprintf(buffer + size, 64 - size, " %s", number == 1 ? one : many);

	return buffer;
}

static void report_losses(struct json_object *session)
{
	struct json_object *losses = member_object(session, "losses", json_type_object);
	struct json_object *warnings = member_object(session, "warnings", json_type_array);
	_cleanup_(text_done) struct text list = {0};
	char buffer[64];

	if (member_number(session, "lost") == 0) {
		report(warnings && json_object_array_length(warnings)
			       ? "nothing was lost of what was woven; see the warnings"
			       : "complete: nothing was lost");
		return;
	}

	if (losses) {
		json_object_object_foreach (losses, name, value) {
			int64_t number = json_object_get_int64(value);

			if (number > 0)
				text_printf(&list, "%s%lld %s", list.size > 0 ? ", " : "",
					    (long long)number, name);
		}
	}
	report("lost %s: %s", count(buffer, member_number(session, "lost"), "record", "records"),
	       list.data ? list.data : "for reasons unknown");
}

static void report_place(struct json_object *session, const char *trace_name)
{
	char size[32];

	text_format_bytes(size, (unsigned long long)member_number(session, "bytes"));
	if (trace_name)
		report("trace: %s (%s); open it at https://ui.perfetto.dev or with "
		       "chrome://tracing",
		       trace_name, size);
	else
		report("trace: standard output (%s)", size);
}

void report_summary(struct json_object *session, const char *trace_name)
{
	struct json_object *warnings = member_object(session, "warnings", json_type_array);
	char processes[64], spans[64], functions[64], binaries[64];

	for (size_t i = 0; warnings && i < json_object_array_length(warnings); i++)
		report("warning: %s",
		       json_object_get_string(json_object_array_get_idx(warnings, i)));
	report("%s, %s of %s in %s",
	       count(processes, member_number(session, "processes"), "process", "processes"),
	       count(spans, member_number(session, "spans"), "span", "spans"),
	       count(functions, member_number(session, "functions"), "function", "functions"),
	       count(binaries, member_number(session, "binaries"), "binary", "binaries"));
	report_losses(session);
	report_place(session, trace_name);
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

static void report_session(struct json_object *session)
{
	_cleanup_(text_done) struct text scope = {0}, aspects = {0}, reason = {0};
	time_t started = (time_t)(member_number(session, "started_us") / 1000000);
	char when[32] = "";
	struct tm local;

	append_scope(&scope, member_object(session, "scope", json_type_object));
	append_aspects(&aspects, member_object(session, "aspects", json_type_array));
	text_append_clean(&reason, member_string(session, "reason"));
	if (localtime_r(&started, &local))
		strftime(when, sizeof(when), "%F %T", &local);

	printf("%-4lld %-8s %-19s %9lld %11lld %8lld  %-24s %s",
	       (long long)member_number(session, "id"), member_string(session, "state"), when,
	       (long long)member_number(session, "functions"),
	       (long long)member_number(session, "spans"),
	       (long long)member_number(session, "lost"), scope.data ? scope.data : "",
	       aspects.data ? aspects.data : "");
	if (reason.size > 0)
		printf("  (%s)", reason.data);
	putchar('\n');
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
