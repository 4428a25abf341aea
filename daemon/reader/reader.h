/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/reader.h - the events of a trace, one by one, in the order of the file
 *
 * Reads the array form and the object form of Chrome's trace events, closed or not, with or without
 * commas, plain or gzip: what we write, and what PerfFlowAspect and others do. Only one event is in
 * memory at a time.
 */
#ifndef PERFFLOW_READER_READER_H
#define PERFFLOW_READER_READER_H

#include <json-c/json.h>
#include <stdint.h>

#include "reader/input.h"

enum event_field { /* what an event has, and in the type that it should be of */
		   EVENT_NAME = 1,
		   EVENT_CATEGORY = 2,
		   EVENT_TIME = 4,
		   EVENT_DURATION = 8,
		   EVENT_PID = 16,
		   EVENT_TID = 32,
};

struct trace_event {
	uint64_t number;	  /* from 1 on */
	uint64_t line, offset;	  /* where it begins: lines from 1, unpacked bytes from 0 */
	const char *text;	  /* as it stands in the file */
	size_t size;		  /* of the text */
	unsigned int n_commas;	  /* between the event that was read last and this one, and */
	unsigned int n_brackets;  /* how often an array begins anew there */
	bool is_behind_bad;	  /* something that is no event was passed over there */
	struct json_object *json; /* all of it */
	unsigned int has;	  /* enum event_field; a field that is not there is 0 or "" */
	char phase;		  /* or '\0' */
	const char *name, *category;
	int64_t pid, tid; /* a thread that is not said is the process's first */
	int64_t time_ns, duration_ns;
	struct json_object *args; /* an object, or NULL */
	struct json_object *id;	  /* "id", "id2", or an X's "bind_id", or NULL */
	bool is_bound;		  /* has a bind_id, as an X may: */
	bool flow_out, flow_in;	  /* an arrow begins or ends here */
};

struct reader_ending {
	bool is_closed;	       /* with ']', and '}' in the object form */
	bool is_inside_event;  /* which has no end */
	unsigned int n_commas; /* behind the last event */
	uint64_t line, offset; /* of the end of the last whole event, or of the beginning */
};

struct reader;

/* -EINVAL: it is empty, or no trace. */
int reader_open(const char *path, struct reader **ret_reader, struct why *why);
void reader_free(struct reader *reader);
DEFINE_CLEANUP(struct reader, reader_free)

/*
 * Returns 1 and the next event, which stays valid until the next call, or 0 at the end. -EBADMSG:
 * there was something that is no event, at the line and byte that `why` tells; the next call goes
 * on behind it. Other errors are final.
 */
int reader_next(struct reader *reader, struct trace_event *ret_event, struct why *why);

/* How it ended, once reader_next() returned 0. */
const struct reader_ending *reader_ending(const struct reader *reader);

/* Whether it is but the end of an arrow, though it may have the form of a call without duration. */
bool event_is_arrow(const struct trace_event *event);

const struct input *reader_input(const struct reader *reader);

/* Members of a JSON object; NULL, 0 and "" where they are missing or of another type. */
struct json_object *json_member(struct json_object *object, const char *name, enum json_type type);
uint64_t json_member_count(struct json_object *object, const char *name);
const char *json_member_text(struct json_object *object, const char *name);

/* A number of microseconds in nanoseconds, exactly. -EINVAL: it is none, or does not fit. */
int json_microseconds(struct json_object *number, int64_t *ret_ns);

#endif
