/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* report.h - what people read: sentences on stderr, numbers, summaries */
#ifndef PERFFLOW_CLI_REPORT_H
#define PERFFLOW_CLI_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "util/text.h"

/* Prints "perfflow: SENTENCE" on stderr. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints an aspect with a mark below its column (from 0). */
void report_column(const char *aspect, size_t column);

/* Prints "did you mean: ..." if there are any. */
void report_candidates(const struct strings *candidates);

/* Prints the error that the daemon answered with. */
void report_error(const struct reply *reply);

/*
 * Prints what a trace holds, what it lacks, where it is (NULL: on standard output), and what else
 * there is to know. Without a trace there are files of processes alone.
 */
void report_summary(struct json_object *session, bool has_trace, const char *trace_name);

/* Prints a table of sessions for people. */
void report_sessions(struct json_object *sessions);

/* Prints JSON as it is, for programs. */
void report_json(struct json_object *object);

/* Appends what comes from outside, fit for a terminal: control characters become '?'. */
int text_append_clean(struct text *text, const char *data);

/*
 * Members of an object from the daemon; 0, "" and NULL where they are missing or of another type.
 */
int64_t member_number(struct json_object *object, const char *name);
const char *member_string(struct json_object *object, const char *name);
struct json_object *member_object(struct json_object *object, const char *name,
				  enum json_type type);

#endif
