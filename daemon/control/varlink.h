/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/varlink.h - the messages: bytes to calls and replies to bytes; no socket is touched here
 */
#ifndef PERFFLOW_CONTROL_VARLINK_H
#define PERFFLOW_CONTROL_VARLINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/text.h"

struct varlink_call {
	char *method;
	struct json_object *parameters; /* never NULL */
	bool more, oneway;
};

/* Parses one message without its '\0'. -EBADMSG: no JSON object, or one that is no call. */
int varlink_parse_call(const char *data, size_t size, struct varlink_call *ret_call);
void varlink_call_done(struct varlink_call *call);

/* Appends a reply with its '\0'. parameters and error may be NULL; both stay the caller's. */
int varlink_write_reply(struct text *text, const char *error, struct json_object *parameters, bool continues);

/* The parts of "io.perfflow.Start": the length of the interface's name; -EINVAL if it has none. */
int varlink_split_method(const char *method, size_t *ret_interface_length);

#endif
