/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/command.h - the table of methods; dispatch by name; what all of them need to read calls
 * and write answers
 */
#ifndef PERFFLOW_CONTROL_COMMAND_H
#define PERFFLOW_CONTROL_COMMAND_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/policy.h"
#include "control/server.h"
#include "util/text.h"

struct daemon;

struct command {
	const char *method; /* "io.perfflow.Start" */
	bool is_open;	    /* to anybody; else to those whom the policy trusts, */
	bool is_for_users;  /* and where it allows that to others, who get what is their own */
	void (*run)(struct daemon *daemon, struct call *call);
};

/* One a file, cmd_<method>.c */
extern const struct command command_start, command_stop, command_list, command_status;

/* Finds the method and runs it, or answers with the error that Varlink has for what it is not. */
void command_dispatch(struct daemon *daemon, struct call *call);

/* The client, as the kernel knows it; its groups, the first of which is its own, are the caller's. -EPERM where they are unknown. */
int peer_client(const struct peer *peer, struct policy_client *ret_client, gid_t **ret_groups);
bool call_is_trusted(const struct daemon *daemon, const struct call *call);

/*
 * Whether the policy trusts the client (wish is NULL) or grants its wish. If not, the refusal is in the journal and the
 * call is answered: -EPERM then.
 */
int call_check(struct daemon *daemon, struct call *call, const struct policy_wish *wish);


/* What a parameter is, and so the type of the field that it is read into. */
enum parameter_type {
	PARAMETER_BOOL,	   /* bool */
	PARAMETER_NUMBER,  /* int64_t, not negative */
	PARAMETER_STRING,  /* const char *, borrowed from the call */
	PARAMETER_STRINGS, /* struct strings, of the caller */
	PARAMETER_OBJECT,  /* struct json_object *, borrowed from the call */
};

struct parameter {
	const char *name;
	enum parameter_type type;
	size_t offset; /* of the field */
	bool required; /* else a field that is not given stays as it is */
};

/*
 * Reads the members of an object into the fields of a struct; path is the object's own name and a
 * dot, or "". A member that is missing, of another type, or not in the table answers the call with
 * InvalidParameter: -EINVAL then.
 */
int parameters_read(struct call *call, struct json_object *object, const char *path,
		    const struct parameter *table, size_t n, void *fields);

struct json_member {
	const char *name;
	struct json_object *value; /* NULL where there was no memory for it */
};

/*
 * An object out of its members, the last of which has no name. The values are taken, also on
 * failure. Returns NULL where a value is NULL or there is no memory.
 */
struct json_object *json_build(const struct json_member *members);
#define JSON_OBJECT(...) json_build((const struct json_member[]){__VA_ARGS__, {0}})

struct json_object *json_strings(const struct strings *strings);
struct json_object *json_text(const char *text); /* what is no UTF-8 is replaced */

/* Answers with an error whose one parameter is the sentence. */
void call_fail_with(struct call *call, const char *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
