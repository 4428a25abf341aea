/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/varlink.c - the messages of Varlink (https://varlink.org)
 *
 * A message is one JSON object. json-c reads it with a bounded depth, and what it takes that is no
 * JSON is refused here and not guessed at. Members that Varlink does not know are
 * ignored, as it demands; "upgrade" is known and not offered, so a call that asks for it is no call
 * that could be answered.
 */
#include "control/varlink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"

#define MAX_DEPTH 16 /* of objects and arrays within each other */

DEFINE_CLEANUP(struct json_tokener, json_tokener_free)

static void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

static bool is_blank(const char *data, size_t begin, size_t end)
{
	while (begin < end && data[begin] && strchr(" \t\r\n", data[begin]))
		begin++;
	return begin == end;
}

static struct json_object *parse_object(const char *data, size_t size)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	struct json_object *object;

	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);

	object = json_tokener_parse_ex(tokener, data, (int)size);
	/*
	 * With a message that stops halfway it waits for the rest; behind a whole one there may be
	 * nothing.
	 */
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !is_blank(data, json_tokener_get_parse_end(tokener), size) ||
	    json_find_nonsense(data, size) || !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return NULL;
	}

	return object;
}

/* A member that may be missing or null. Returns false if it is there and of another type. */
static bool find_member(struct json_object *object, const char *name, enum json_type type,
			struct json_object **ret_member)
{
	*ret_member = NULL;

	return !json_object_object_get_ex(object, name, ret_member) || !*ret_member ||
	       json_object_is_type(*ret_member, type);
}

int varlink_parse_call(const char *data, size_t size, struct varlink_call *ret_call)
{
	_cleanup_(json_putp) struct json_object *message = NULL;
	struct json_object *method, *parameters, *more, *oneway, *upgrade;
	struct varlink_call call = {0};

	if (size > INT_MAX)
		return -EBADMSG;
	message = parse_object(data, size);
	if (!message)
		return -EBADMSG;

	if (!find_member(message, "method", json_type_string, &method) ||
	    !find_member(message, "parameters", json_type_object, &parameters) ||
	    !find_member(message, "more", json_type_boolean, &more) ||
	    !find_member(message, "oneway", json_type_boolean, &oneway) ||
	    !find_member(message, "upgrade", json_type_boolean, &upgrade) || !method ||
	    json_object_get_boolean(upgrade))
		return -EBADMSG;

	call.more = json_object_get_boolean(more);
	call.oneway = json_object_get_boolean(oneway);
	if (call.more && call.oneway)
		return -EBADMSG;
	if (strlen(json_object_get_string(method)) != (size_t)json_object_get_string_len(method))
		return -EBADMSG;

	call.method = strdup(json_object_get_string(method));
	call.parameters = parameters ? json_object_get(parameters) : json_object_new_object();
	if (!call.method || !call.parameters) {
		varlink_call_done(&call);
		return -ENOMEM;
	}

	*ret_call = call;
	return 0;
}

void varlink_call_done(struct varlink_call *call)
{
	free(call->method);
	json_object_put(call->parameters);
	*call = (struct varlink_call){0};
}

int varlink_write_reply(struct text *text, const char *error, struct json_object *parameters,
			bool continues)
{
	_cleanup_(json_putp) struct json_object *message = json_object_new_object();
	struct json_object *value;
	const char *json;
	size_t size;

	if (!message)
		return -ENOMEM;

	if (error) {
		value = json_object_new_string(error);
		if (!value || json_object_object_add(message, "error", value) < 0)
			return -ENOMEM;
	}
	value = parameters ? json_object_get(parameters) : json_object_new_object();
	if (!value || json_object_object_add(message, "parameters", value) < 0)
		return -ENOMEM;
	if (continues) {
		value = json_object_new_boolean(true);
		if (!value || json_object_object_add(message, "continues", value) < 0)
			return -ENOMEM;
	}

	json = json_object_to_json_string_length(
		message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	if (!json)
		return -ENOMEM;

	return text_append(text, json, size + 1);
}

int varlink_split_method(const char *method, size_t *ret_interface_length)
{
	const char *dot = strrchr(method, '.');

	if (!dot || dot == method || !dot[1])
		return -EINVAL;

	*ret_interface_length = (size_t)(dot - method);
	return 0;
}
