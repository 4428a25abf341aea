/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/audit.c - who traced what, and how it ended
 *
 * The fields are those of the kernel and of the request, so what a user has written is in fields of
 * its own and can pose as nothing else. A record that finds no memory falls back to its sentence.
 */
#include "control/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "util/log.h"
#include "util/now.h"

#define MAX_FIELDS 64

struct record {
	struct strings fields; /* NAME=value */
	struct text scope;
	bool is_short; /* of memory */
};

static void record_done(struct record *record)
{
	strings_done(&record->fields);
	text_done(&record->scope);
}

static void add(struct record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct record *record, const char *format, ...)
{
	_cleanup_free_ char *field = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&field, format, arguments) < 0)
		field = NULL;
	va_end(arguments);
	if (!field || strings_add(&record->fields, field) < 0)
		record->is_short = true;
}

static void send(struct record *record, const char *sentence)
{
	struct iovec vectors[MAX_FIELDS];
	size_t n = 0;

	add(record, "MESSAGE=%s", sentence);
	add(record, "PRIORITY=%d", LOG_LEVEL_INFO);
	if (record->is_short || !log_is_journal()) {
		log_info("%s", sentence);
		return;
	}
	/* The sentence and its level are the last, and always sent. */
	for (size_t i = 0; i < record->fields.n_items; i++) {
		char *field = record->fields.items[i];

		if (n < MAX_FIELDS - 2 || i + 2 >= record->fields.n_items)
			vectors[n++] = (struct iovec){field, strlen(field)};
	}
	if (sd_journal_sendv(vectors, (int)n) < 0)
		log_info("%s", sentence);
}

/* What is traced, as "pid 17 (./solver)", "/usr/lib/libm.so.6", "the whole machine". */
static const char *scope_of(const struct session_info *info, struct record *record)
{
	int r;

	if (info->pid && info->command && info->command->n_items > 0)
		r = text_printf(&record->scope, "pid %d (%s)", (int)info->pid,
				info->command->items[0]);
	else if (info->pid)
		r = text_printf(&record->scope, "pid %d", (int)info->pid);
	else
		r = text_printf(&record->scope, "%s",
				info->binary ? info->binary : "the whole machine");
	if (r < 0)
		record->is_short = true;
	return r < 0 ? "something" : record->scope.data;
}

static void add_session(struct record *record, const struct session_info *info, const char *event,
			const char *scope)
{
	add(record, "PERFFLOW_EVENT=%s", event);
	add(record, "PERFFLOW_SESSION=%" PRIu64, info->id);
	add(record, "PERFFLOW_UID=%u", (unsigned int)info->uid);
	add(record, "PERFFLOW_PID=%d", (int)info->client_pid);
	add(record, "PERFFLOW_SCOPE=%s", scope);
	add(record, "PERFFLOW_RIGHTS=%s", info->is_restricted ? "own" : "all");
	for (size_t i = 0; i < info->aspects->n_items; i++)
		add(record, "PERFFLOW_ASPECT=%s", info->aspects->items[i]);
}

void audit_start(const struct session_info *info)
{
	_cleanup_(record_done) struct record record = {0};
	const char *scope = scope_of(info, &record);
	char sentence[1024];

	snprintf(sentence, sizeof(sentence),
		 "session %" PRIu64 " started: user %u (pid %d) traces %" PRIu64 " function%s in %s%s",
		 info->id, (unsigned int)info->uid, (int)info->client_pid, info->n_functions,
		 info->n_functions == 1 ? "" : "s", scope, info->is_restricted ? ", of processes that are the user's own" : "");
	add_session(&record, info, "start", scope);
	send(&record, sentence);
}

void audit_end(const struct session_info *info)
{
	_cleanup_(record_done) struct record record = {0};
	const char *scope = scope_of(info, &record),
		   *reason = info->reason ? info->reason : "stopped";
	char sentence[1024];
	uint64_t now_us = clock_now_ns(CLOCK_REALTIME) / 1000;

	snprintf(sentence, sizeof(sentence),
		 "session %" PRIu64 " of user %u ended after %.1f s: %s; %" PRIu64
		 " spans, %" PRIu64 " records lost",
		 info->id, (unsigned int)info->uid,
		 now_us > info->started_us ? (double)(now_us - info->started_us) / 1e6 : 0, reason,
		 info->n_spans, session_info_lost(info));
	add_session(&record, info, "end", scope);
	add(&record, "PERFFLOW_REASON=%s", reason);
	add(&record, "PERFFLOW_SPANS=%" PRIu64, info->n_spans);
	add(&record, "PERFFLOW_LOST=%" PRIu64, session_info_lost(info));
	send(&record, sentence);
}

void audit_refusal(uid_t uid, pid_t pid, const char *method, const char *sentence)
{
	_cleanup_(record_done) struct record record = {0};
	char line[1024];

	snprintf(line, sizeof(line), "user %u (pid %d) is refused %s: %s", (unsigned int)uid,
		 (int)pid, method, sentence);
	add(&record, "PERFFLOW_EVENT=refused");
	add(&record, "PERFFLOW_UID=%u", (unsigned int)uid);
	add(&record, "PERFFLOW_PID=%d", (int)pid);
	add(&record, "PERFFLOW_REASON=%s", sentence);
	send(&record, line);
}

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

static void add_aspects(struct record *record, struct json_object *aspects)
{
	for (size_t i = 0; json_object_is_type(aspects, json_type_array) && i < json_object_array_length(aspects); i++)
		add(record, "PERFFLOW_ASPECT=%s", json_object_get_string(json_object_array_get_idx(aspects, i)));
}

void audit_cut(struct json_object *session)
{
	_cleanup_(record_done) struct record record = {0};
	int64_t id = json_object_get_int64(member(session, "id")), uid = json_object_get_int64(member(session, "uid"));
	char sentence[256];

	snprintf(sentence, sizeof(sentence),
		 "session %" PRId64 " of user %" PRId64 " was cut: perfflowd ended before it, without ending it", id, uid);
	add(&record, "PERFFLOW_EVENT=cut");
	add(&record, "PERFFLOW_SESSION=%" PRId64, id);
	add(&record, "PERFFLOW_UID=%" PRId64, uid);
	add(&record, "PERFFLOW_PID=%" PRId64, json_object_get_int64(member(session, "client_pid")));
	add_aspects(&record, member(session, "aspects"));
	send(&record, sentence);
}
