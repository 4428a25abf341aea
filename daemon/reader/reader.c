/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * json-c's tokener reads the events; here is only what stands between them: brackets, commas, the
 * head of the object form. So any layout can be read. Most traces have an event a line: where the
 * first one stands so, an event that is not complete at the end of its line is a fault of that line
 * alone, and reading goes on with the next.
 *
 * The tokener takes some things that are not JSON, as NaN, and text in strings that other readers
 * refuse. They are looked for in the text itself.
 */
#include "reader/reader.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "util/json.h"

#define FIRST_BYTES	(1024 * 1024)
#define MAX_EVENT_BYTES (16 * 1024 * 1024)
#define MAX_JSON_DEPTH	64

enum state { STATE_EVENTS, STATE_BEHIND };
enum layout { LAYOUT_UNKNOWN, LAYOUT_LINES, LAYOUT_FREE };

struct reader {
	struct input *input;
	struct json_tokener *tokener;
	char *buffer;
	size_t room, begin, end; /* what was read and not yet taken */
	bool is_at_end;		 /* of the input */
	uint64_t line, offset;	 /* of buffer[begin] */
	enum state state;
	enum layout layout;
	bool is_object; /* the object form */
	uint64_t n_events;
	bool is_behind_bad;	  /* the last thing was no event */
	struct json_object *json; /* of the event that was given out */
	struct reader_ending ending;
};

static int bad(const struct reader *reader, const char *what, struct why *why)
{
	return why_say(why, -EBADMSG, "line %llu, byte %llu: %s", (unsigned long long)reader->line,
		       (unsigned long long)reader->offset, what);
}

/* Takes n bytes. */
static void skip(struct reader *reader, size_t n)
{
	const char *p = reader->buffer + reader->begin, *end = p + n;

	reader->begin += n;
	reader->offset += n;
	while ((p = memchr(p, '\n', end - p))) {
		reader->line++;
		p++;
	}
}

static int make_room(struct reader *reader)
{
	char *grown;

	memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	if (reader->end < reader->room)
		return 0;
	if (reader->room >= MAX_EVENT_BYTES)
		return -EMSGSIZE;

	grown = realloc(reader->buffer, reader->room * 2);
	if (!grown)
		return -ENOMEM;
	reader->buffer = grown;
	reader->room *= 2;
	return 0;
}

/* Reads more behind what is there: 1, 0 at the end. -EMSGSIZE: what is there is too much already.
 */
static int fill(struct reader *reader, struct why *why)
{
	ssize_t n;
	int r;

	if (reader->is_at_end)
		return 0;
	r = make_room(reader);
	if (r < 0)
		return r;
	n = input_read(reader->input, reader->buffer + reader->end, reader->room - reader->end,
		       why);
	if (n < 0)
		return n;
	reader->end += n;
	reader->is_at_end = n == 0;
	return n > 0;
}

/* The next character that is no white space, not taken: 1, 0 at the end. */
static int look(struct reader *reader, char *ret_c, struct why *why)
{
	size_t n;
	int r;

	for (;;) {
		for (n = 0; reader->begin + n < reader->end; n++)
			if (!strchr(" \t\r\n", reader->buffer[reader->begin + n]) ||
			    !reader->buffer[reader->begin + n])
				break;
		skip(reader, n);
		if (reader->begin < reader->end) {
			*ret_c = reader->buffer[reader->begin];
			return 1;
		}
		r = fill(reader, why);
		if (r <= 0)
			return r;
	}
}

/* Takes the rest of the line. */
static int skip_line(struct reader *reader, struct why *why)
{
	const char *newline;
	int r;

	for (;;) {
		newline = memchr(reader->buffer + reader->begin, '\n', reader->end - reader->begin);
		if (newline) {
			skip(reader, newline + 1 - (reader->buffer + reader->begin));
			return 0;
		}
		skip(reader, reader->end - reader->begin);
		r = fill(reader, why);
		if (r <= 0)
			return r;
	}
}

/*
 * Reads the JSON value that begins at the next byte, and does not take it: 1, the value and its
 * size; 0 if the input ends inside of it; -EBADMSG.
 */
static int parse(struct reader *reader, struct json_object **ret_json, size_t *ret_size,
		 struct why *why)
{
	bool is_line = reader->layout == LAYOUT_LINES;
	size_t fed = 0, piece;
	const char *p, *newline, *nonsense;
	enum json_tokener_error error;
	int r;

	json_tokener_reset(reader->tokener);
	for (;;) {
		p = reader->buffer + reader->begin + fed;
		piece = reader->end - reader->begin - fed;
		newline = is_line ? memchr(p, '\n', piece) : NULL;
		if (newline)
			piece = newline - p;
		*ret_json = json_tokener_parse_ex(reader->tokener, p, piece);
		error = json_tokener_get_error(reader->tokener);
		if (error == json_tokener_success) {
			*ret_size = fed + json_tokener_get_parse_end(reader->tokener);
			nonsense = json_find_nonsense(reader->buffer + reader->begin, *ret_size);
			if (!nonsense)
				return 1;
			json_object_put(*ret_json);
			*ret_json = NULL;
			return bad(reader, nonsense, why);
		}
		fed += piece;
		if (error != json_tokener_continue)
			return bad(reader, json_tokener_error_desc(error), why);
		if (newline)
			return bad(reader, "the line ends inside of an event", why);
		r = fill(reader, why);
		if (r == -EMSGSIZE)
			return bad(reader, "an event of more than 16 MiB", why);
		if (r <= 0)
			return r;
	}
}

/* Takes a member's name and the colon behind it. */
static int take_key(struct reader *reader, char key[16], struct why *why)
{
	struct json_object *json;
	size_t size;
	char c;
	int r;

	r = parse(reader, &json, &size, why);
	if (r <= 0)
		return r;
	snprintf(key, 16, "%s",
		 json_object_is_type(json, json_type_string) ? json_object_get_string(json) : "");
	json_object_put(json);
	skip(reader, size);
	r = look(reader, &c, why);
	if (r <= 0)
		return r;
	if (c != ':')
		return bad(reader, "a colon is missing", why);
	skip(reader, 1);
	return look(reader, &c, why);
}

/* Takes the object form's head, up to and with the bracket of "traceEvents". */
static int take_head(struct reader *reader, struct why *why)
{
	struct json_object *json;
	char key[16], c;
	size_t size;
	int r;

	skip(reader, 1);
	for (;;) {
		r = look(reader, &c, why);
		if (r <= 0)
			return r;
		if (c == ',') {
			skip(reader, 1);
			continue;
		}
		if (c == '}')
			return -ENOMSG;
		r = take_key(reader, key, why);
		if (r <= 0)
			return r;
		if (strcmp(key, "traceEvents") == 0 && reader->buffer[reader->begin] == '[') {
			skip(reader, 1);
			return 1;
		}
		r = parse(reader, &json, &size, why);
		if (r <= 0)
			return r;
		json_object_put(json);
		skip(reader, size);
	}
}

static int say_no_trace(const struct reader *reader, const char *what, struct why *why)
{
	return why_say(why, -EINVAL, "'%s' is no trace: %s", input_name(reader->input), what);
}

static int begin_reading(struct reader *reader, struct why *why)
{
	struct why inner = {0};
	char c;
	int r;

	r = look(reader, &c, why);
	if (r < 0)
		return r;
	if (r == 0)
		return say_no_trace(reader,
				    input_damage(reader->input) ? input_damage(reader->input)
								: "it is empty",
				    why);
	if (c == '[') {
		skip(reader, 1);
		reader->ending.line = reader->line;
		reader->ending.offset = reader->offset;
		return 0;
	}
	if (c != '{')
		return say_no_trace(reader, "it begins with neither [ nor {", why);

	reader->is_object = true;
	r = take_head(reader, &inner);
	if (r == 0 || r == -ENOMSG)
		return say_no_trace(reader, "it is JSON without \"traceEvents\"", why);
	if (r == -EBADMSG)
		return say_no_trace(reader, inner.text, why);
	reader->ending.line = reader->line;
	reader->ending.offset = reader->offset;
	return r < 0 ? why_say(why, r, "%s", why_text(&inner, r)) : 0;
}

int reader_open(const char *path, struct reader **ret_reader, struct why *why)
{
	_cleanup_(reader_freep) struct reader *reader = NULL;
	int r;

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->room = FIRST_BYTES;
	reader->buffer = malloc(reader->room);
	reader->tokener = json_tokener_new_ex(MAX_JSON_DEPTH);
	if (!reader->buffer || !reader->tokener)
		return -ENOMEM;
	json_tokener_set_flags(reader->tokener, JSON_TOKENER_VALIDATE_UTF8);

	reader->line = reader->ending.line = 1;
	r = input_open(path, &reader->input, why);
	if (r == 0)
		r = begin_reading(reader, why);
	if (r < 0)
		return r;
	*ret_reader = take_ptr(reader);
	return 0;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	json_object_put(reader->json);
	if (reader->tokener)
		json_tokener_free(reader->tokener);
	free(reader->buffer);
	input_free(reader->input);
	free(reader);
}

static const char *text_of(struct json_object *json)
{
	return json_object_is_type(json, json_type_string) ? json_object_get_string(json) : NULL;
}

static void take_text(struct trace_event *event, enum event_field field, struct json_object *json,
		      const char **ret_text)
{
	const char *text = text_of(json);

	if (text) {
		*ret_text = text;
		event->has |= field;
	}
}

static void take_number(struct trace_event *event, enum event_field field, struct json_object *json,
			int64_t *ret_number)
{
	if (json_object_is_type(json, json_type_int)) {
		*ret_number = json_object_get_int64(json);
		event->has |= field;
	}
}

static void take_time(struct trace_event *event, enum event_field field, struct json_object *json,
		      int64_t *ret_ns)
{
	if (json_microseconds(json, ret_ns) == 0)
		event->has |= field;
}

static void take_phase(struct trace_event *event, struct json_object *json)
{
	const char *text = text_of(json);

	if (text && text[0] && !text[1])
		event->phase = text[0];
}

static void take_flow(struct trace_event *event)
{
	struct json_object *bound;

	event->is_bound = json_object_object_get_ex(event->json, "bind_id", &bound);
	if (event->is_bound)
		event->id = bound;
	event->flow_out = json_object_get_boolean(json_member(event->json, "flow_out", json_type_boolean));
	event->flow_in = json_object_get_boolean(json_member(event->json, "flow_in", json_type_boolean));
}

static void take_fields(struct trace_event *event, struct json_object *json)
{
	event->name = event->category = "";
	event->json = json;
	json_object_object_foreach (json, key, value) {
		if (strcmp(key, "name") == 0)
			take_text(event, EVENT_NAME, value, &event->name);
		else if (strcmp(key, "cat") == 0)
			take_text(event, EVENT_CATEGORY, value, &event->category);
		else if (strcmp(key, "ph") == 0)
			take_phase(event, value);
		else if (strcmp(key, "ts") == 0)
			take_time(event, EVENT_TIME, value, &event->time_ns);
		else if (strcmp(key, "dur") == 0)
			take_time(event, EVENT_DURATION, value, &event->duration_ns);
		else if (strcmp(key, "pid") == 0)
			take_number(event, EVENT_PID, value, &event->pid);
		else if (strcmp(key, "tid") == 0)
			take_number(event, EVENT_TID, value, &event->tid);
		else if (strcmp(key, "args") == 0 && json_object_is_type(value, json_type_object))
			event->args = value;
		else if (strcmp(key, "id") == 0 || strcmp(key, "id2") == 0)
			event->id = value;
	}
	if (event->phase == 'X')
		take_flow(event);
	if (!(event->has & EVENT_TID))
		event->tid = event->pid;
}

static void find_layout(struct reader *reader, size_t size)
{
	const char *p = reader->buffer + reader->begin + size, *end = reader->buffer + reader->end;

	while (p < end && (*p == ' ' || *p == ',' || *p == '\r'))
		p++;
	reader->layout = p < end && *p == '\n' ? LAYOUT_LINES : LAYOUT_FREE;
}

/* Takes the event whose brace is the next byte. */
static int take_event(struct reader *reader, struct trace_event *event, struct why *why)
{
	size_t size;
	int r;

	json_object_put(reader->json);
	reader->json = NULL;
	r = parse(reader, &reader->json, &size, why);
	if (r == 0)
		reader->ending.is_inside_event = true;
	if (r <= 0)
		return r;
	if (reader->layout == LAYOUT_UNKNOWN)
		find_layout(reader, size);

	event->number = ++reader->n_events;
	event->is_behind_bad = reader->is_behind_bad;
	reader->is_behind_bad = false;
	event->line = reader->line;
	event->offset = reader->offset;
	event->text = reader->buffer + reader->begin;
	event->size = size;
	take_fields(event, reader->json);
	skip(reader, size);
	reader->ending.line = reader->line;
	reader->ending.offset = reader->offset;
	return 1;
}

/*
 * Behind the events. The object form may have more members there, which are of no interest. Returns
 * 0 at the end.
 */
static int skip_rest(struct reader *reader, struct why *why)
{
	bool was_closed = reader->ending.is_closed;
	char c;
	int r;

	for (;;) {
		r = look(reader, &c, why);
		if (r <= 0)
			return r;
		if (was_closed) {
			r = bad(reader, "text behind the end of the trace", why);
			while (reader->begin < reader->end) {
				skip(reader, reader->end - reader->begin);
				if (fill(reader, why) < 0)
					break;
			}
			return r;
		}
		reader->ending.is_closed = c == '}';
		skip(reader, 1);
	}
}

/* What is no event: the rest of its line is passed over, and what it said comes back. */
static int pass_over(struct reader *reader, struct why *why)
{
	struct why ignored = {0};
	int r;

	reader->is_behind_bad = true;
	r = skip_line(reader, &ignored);
	return r < 0 ? why_say(why, r, "%s", why_text(&ignored, r)) : -EBADMSG;
}

int reader_next(struct reader *reader, struct trace_event *ret_event, struct why *why)
{
	char c;
	int r;

	*ret_event = (struct trace_event){0};
	while (reader->state == STATE_EVENTS) {
		r = look(reader, &c, why);
		if (r <= 0)
			return r;
		switch (c) {
		case '{':
			r = take_event(reader, ret_event, why);
			return r == -EBADMSG ? pass_over(reader, why) : r;
		case ',':
			ret_event->n_commas++;
			skip(reader, 1);
			break;
		case ']':
			reader->state = STATE_BEHIND;
			reader->ending.is_closed = !reader->is_object;
			reader->ending.n_commas = ret_event->n_commas;
			skip(reader, 1);
			break;
		case '[':
			ret_event->n_brackets++;
			skip(reader, 1);
			break;
		default:
			bad(reader, "this is no event", why);
			return pass_over(reader, why);
		}
	}
	return skip_rest(reader, why);
}

const struct reader_ending *reader_ending(const struct reader *reader)
{
	return &reader->ending;
}

bool event_is_arrow(const struct trace_event *event)
{
	if (event->phase == 'X')
		return event->is_bound && event->duration_ns == 0;
	return event->phase == 's' || event->phase == 't' || event->phase == 'f';
}

const struct input *reader_input(const struct reader *reader)
{
	return reader->input;
}

struct json_object *json_member(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *member = NULL;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, type))
		return NULL;
	return member;
}

uint64_t json_member_count(struct json_object *object, const char *name)
{
	int64_t number = json_object_get_int64(json_member(object, name, json_type_int));

	return number > 0 ? number : 0;
}

const char *json_member_text(struct json_object *object, const char *name)
{
	struct json_object *member = json_member(object, name, json_type_string);

	return member ? json_object_get_string(member) : "";
}

/* "81234567.250" -> nanoseconds; more than three decimals are cut. -EINVAL: it has an exponent,
 * say. */
static int parse_microseconds(const char *text, int64_t *ret_ns)
{
	bool is_negative = *text == '-';
	int64_t value = 0;
	int n_decimals = -1;

	for (text += is_negative; *text; text++) {
		if (*text == '.' && n_decimals < 0) {
			n_decimals = 0;
			continue;
		}
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (n_decimals == 3)
			continue;
		n_decimals += n_decimals >= 0;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text - '0', &value))
			return -EINVAL;
	}
	for (n_decimals = n_decimals < 0 ? 0 : n_decimals; n_decimals < 3; n_decimals++)
		if (__builtin_mul_overflow(value, 10, &value))
			return -EINVAL;

	*ret_ns = is_negative ? -value : value;
	return 0;
}

int json_microseconds(struct json_object *number, int64_t *ret_ns)
{
	const char *text;
	double ns;

	if (json_object_is_type(number, json_type_int))
		return __builtin_mul_overflow(json_object_get_int64(number), 1000, ret_ns) ? -EINVAL
											   : 0;
	if (!json_object_is_type(number, json_type_double))
		return -EINVAL;

	text = json_object_get_userdata(number); /* as it stands in the file */
	if (text && parse_microseconds(text, ret_ns) == 0)
		return 0;
	ns = round(json_object_get_double(number) * 1000);
	if (!(fabs(ns) < 9e18))
		return -EINVAL;
	*ret_ns = (int64_t)ns;
	return 0;
}
