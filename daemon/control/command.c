/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/command.c - the table of methods; dispatch by name
 *
 * The methods of org.varlink.service, which every Varlink server has, are here, since they are
 * answered out of the table itself. Parameters are read by tables as well, so that all commands are
 * equally strict: a name that no table knows is an error, for it is nearly always one that was
 * misspelt.
 */
#include "control/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/audit.h"
#include "control/daemon.h"
#include "control/varlink.h"

extern const char interface_description[]; /* interface.S */

static const char service_description[] =
	"# What every Varlink service offers.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who this is, and which interfaces there are.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The text of an interface.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

static const struct interface {
	const char *name;
	const char *description;
} interfaces[] = {
	{"org.varlink.service", service_description},
	{"io.perfflow", interface_description},
};

static const struct interface *find_interface(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		if (strlen(interfaces[i].name) == length &&
		    memcmp(interfaces[i].name, name, length) == 0)
			return &interfaces[i];

	return NULL;
}

static struct json_object *describe_service(void)
{
	struct json_object *names = json_object_new_array();
	const struct json_member members[] = {
		{"vendor", json_text("perfflow")},
		{"product", json_text("perfflowd")},
		{"version", json_text(PERFFLOW_VERSION)},
		{"url", json_text("")},
		{"interfaces", names},
		{0},
	};

	for (size_t i = 0; names && i < ARRAY_SIZE(interfaces); i++)
		json_object_array_add(names, json_text(interfaces[i].name));

	return json_build(members);
}

static void run_get_info(struct daemon *daemon, struct call *call)
{
	(void)daemon;
	if (parameters_read(call, call->parameters, "", NULL, 0, NULL) < 0)
		return;

	call_reply(call, describe_service(), false);
}

static void run_get_interface_description(struct daemon *daemon, struct call *call)
{
	static const struct parameter table[] = {{"interface", PARAMETER_STRING, 0, true}};
	const struct interface *interface;
	const char *name = NULL;

	(void)daemon;
	if (parameters_read(call, call->parameters, "", table, ARRAY_SIZE(table), &name) < 0)
		return;

	interface = find_interface(name, strlen(name));
	if (interface)
		call_reply(call, JSON_OBJECT({"description", json_text(interface->description)}),
			   false);
	else
		call_fail(call, "org.varlink.service.InterfaceNotFound",
			  JSON_OBJECT({"interface", json_text(name)}));
}

static const struct command command_get_info = {
	.method = "org.varlink.service.GetInfo",
	.is_open = true,
	.run = run_get_info,
};
static const struct command command_get_interface_description = {
	.method = "org.varlink.service.GetInterfaceDescription",
	.is_open = true,
	.run = run_get_interface_description,
};

static const struct command *const commands[] = {
	&command_get_info, &command_get_interface_description,
	&command_start,	   &command_stop,
	&command_list,	   &command_status,
};

static const struct command *find_command(const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->method, method) == 0)
			return commands[i];

	return NULL;
}

static void refuse_method(struct call *call)
{
	_cleanup_free_ char *interface = NULL;
	size_t length;

	if (varlink_split_method(call->method, &length) < 0 ||
	    find_interface(call->method, length)) {
		call_fail(call, "org.varlink.service.MethodNotFound",
			  JSON_OBJECT({"method", json_text(call->method)}));
		return;
	}

	interface = strndup(call->method, length);
	call_fail(call, "org.varlink.service.InterfaceNotFound",
		  JSON_OBJECT({"interface", json_text(interface ? interface : "")}));
}

int peer_client(const struct peer *peer, struct policy_client *ret_client, gid_t **ret_groups)
{
	size_t n_groups;

	if (peer_groups(peer, ret_groups, &n_groups) < 0)
		return -EPERM;
	*ret_client = (struct policy_client){
		.uid = peer_uid(peer), .groups = *ret_groups, .n_groups = n_groups};
	return 0;
}

bool call_is_trusted(const struct daemon *daemon, const struct call *call)
{
	struct policy_client client = {.uid = peer_uid(call->peer)};
	_cleanup_free_ gid_t *groups = NULL;

	peer_client(call->peer, &client, &groups);
	return policy_trusts(&daemon->policy, &client);
}

int call_check(struct daemon *daemon, struct call *call, const struct policy_wish *wish)
{
	struct policy_client client = {.uid = peer_uid(call->peer)};
	_cleanup_free_ gid_t *groups = NULL;
	struct why why = {0};
	int r;

	peer_client(call->peer, &client, &groups);
	r = wish ? policy_check_wish(&daemon->policy, &client, wish, &why) : policy_check_client(&daemon->policy, &client, &why);
	if (r >= 0)
		return 0;
	audit_refusal(client.uid, peer_pid(call->peer), call->method, why_text(&why, r));
	call_fail_with(call, "io.perfflow.PermissionDenied", "%s", why_text(&why, r));
	return r;
}

void command_dispatch(struct daemon *daemon, struct call *call)
{
	const struct command *command = find_command(call->method);

	if (call->refusal)
		call_fail_with(call, "io.perfflow.LimitReached", "%s", call->refusal);
	else if (!command)
		refuse_method(call);
	else if (command->is_open || (command->is_for_users && daemon->policy.allow_users) ||
		 call_check(daemon, call, NULL) == 0)
		command->run(daemon, call);
}

/* A string with a '\0' in it would mean one thing to JSON and another one to C. */
static const char *plain_string(struct json_object *value)
{
	const char *string;

	if (!json_object_is_type(value, json_type_string))
		return NULL;

	string = json_object_get_string(value);
	return strlen(string) == (size_t)json_object_get_string_len(value) ? string : NULL;
}

static int read_strings(struct json_object *value, struct strings *strings)
{
	const char *string;
	int r;

	if (!json_object_is_type(value, json_type_array))
		return -EINVAL;

	for (size_t i = 0; i < json_object_array_length(value); i++) {
		string = plain_string(json_object_array_get_idx(value, i));
		if (!string)
			return -EINVAL;
		r = strings_add(strings, string);
		if (r < 0)
			return r;
	}

	return 0;
}

static int read_parameter(struct json_object *value, enum parameter_type type, void *field)
{
	const char *string;

	switch (type) {
	case PARAMETER_BOOL:
		if (!json_object_is_type(value, json_type_boolean))
			return -EINVAL;
		*(bool *)field = json_object_get_boolean(value);
		return 0;
	case PARAMETER_NUMBER:
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
			return -EINVAL;
		*(int64_t *)field = json_object_get_int64(value);
		return 0;
	case PARAMETER_STRING:
		string = plain_string(value);
		if (!string)
			return -EINVAL;
		*(const char **)field = string;
		return 0;
	case PARAMETER_STRINGS:
		return read_strings(value, field);
	case PARAMETER_OBJECT:
		if (!json_object_is_type(value, json_type_object))
			return -EINVAL;
		*(struct json_object **)field = value;
		return 0;
	}

	return -EINVAL;
}

static int refuse_parameter(struct call *call, const char *path, const char *name)
{
	_cleanup_(text_done) struct text full_name = {0};

	text_printf(&full_name, "%s%s", path, name);
	call_fail(call, "org.varlink.service.InvalidParameter",
		  JSON_OBJECT({"parameter", json_text(full_name.data ? full_name.data : name)}));

	return -EINVAL;
}

static bool table_knows(const struct parameter *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return true;

	return false;
}

int parameters_read(struct call *call, struct json_object *object, const char *path,
		    const struct parameter *table, size_t n, void *fields)
{
	struct json_object *value;

	json_object_object_foreach (object, name, unused) {
		(void)unused;
		if (!table_knows(table, n, name))
			return refuse_parameter(call, path, name);
	}

	for (size_t i = 0; i < n; i++) {
		/* A member that is null is one that is not there. */
		if (!json_object_object_get_ex(object, table[i].name, &value) || !value) {
			if (table[i].required)
				return refuse_parameter(call, path, table[i].name);
			continue;
		}
		if (read_parameter(value, table[i].type, (char *)fields + table[i].offset) < 0)
			return refuse_parameter(call, path, table[i].name);
	}

	return 0;
}

struct json_object *json_build(const struct json_member *members)
{
	struct json_object *object = json_object_new_object();
	bool is_complete = object;

	for (; members->name; members++) {
		if (is_complete && members->value &&
		    json_object_object_add(object, members->name, members->value) == 0)
			continue;
		json_object_put(members->value);
		is_complete = false;
	}
	if (is_complete)
		return object;

	json_object_put(object);
	return NULL;
}

struct json_object *json_strings(const struct strings *strings)
{
	struct json_object *array = json_object_new_array(), *item;

	for (size_t i = 0; array && strings && i < strings->n_items; i++) {
		item = json_text(strings->items[i]);
		if (!item || json_object_array_add(array, item) < 0) {
			json_object_put(item);
			json_object_put(array);
			return NULL;
		}
	}

	return array;
}

/* By way of JSON's own spelling, since that is where bytes that are no UTF-8 are replaced. */
struct json_object *json_text(const char *text)
{
	_cleanup_(text_done) struct text json = {0};

	if (text_append(&json, "\"", 1) < 0 || text_append_json(&json, text, strlen(text)) < 0 ||
	    text_append(&json, "\"", 1) < 0)
		return NULL;

	return json_tokener_parse(json.data);
}

void call_fail_with(struct call *call, const char *error, const char *format, ...)
{
	char sentence[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	call_fail(call, error, JSON_OBJECT({"message", json_text(sentence)}));
}
