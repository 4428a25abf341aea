/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/cmd_start.c - io.perfflow.Start
 *
 * Only the form of the parameters is judged here; what an aspect or a scope means is the session's
 * matter, whose failures become the errors of the interface.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "control/command.h"
#include "control/daemon.h"

struct start {
	struct strings aspects;
	struct json_object *scope;
	int64_t output; /* index of a descriptor, or -1 */
	bool compress, allow_empty, detach;
	const char *returns; /* or NULL */
};

struct start_scope {
	int64_t pid; /* or 0 */
	const char *binary;
	struct strings command;
};

static const struct parameter parameters[] = {
	{"aspects", PARAMETER_STRINGS, offsetof(struct start, aspects), true},
	{"scope", PARAMETER_OBJECT, offsetof(struct start, scope), true},
	{"output", PARAMETER_NUMBER, offsetof(struct start, output), false},
	{"compress", PARAMETER_BOOL, offsetof(struct start, compress), false},
	{"allow_empty", PARAMETER_BOOL, offsetof(struct start, allow_empty), false},
	{"detach", PARAMETER_BOOL, offsetof(struct start, detach), false},
	{"returns", PARAMETER_STRING, offsetof(struct start, returns), false},
};

static const struct parameter scope_parameters[] = {
	{"pid", PARAMETER_NUMBER, offsetof(struct start_scope, pid), false},
	{"binary", PARAMETER_STRING, offsetof(struct start_scope, binary), false},
	{"command", PARAMETER_STRINGS, offsetof(struct start_scope, command), false},
};

static void start_done(struct start *start)
{
	strings_done(&start->aspects);
}

static void start_scope_done(struct start_scope *scope)
{
	strings_done(&scope->command);
}

/* Returns 0, or -EINVAL when the call has been answered. */
static int check_scope(struct call *call, const struct start_scope *scope)
{
	const char *sentence = NULL;

	if (scope->pid && scope->binary)
		sentence = "the scope is a pid or a binary, not both";
	else if (scope->pid > INT32_MAX)
		sentence = "there is no process with such a pid";
	else if (scope->binary && scope->binary[0] != '/')
		sentence = "the path of the binary is not absolute";
	else if (scope->command.n_items > 0 && !scope->pid)
		sentence = "a command belongs to a pid";
	if (!sentence)
		return 0;

	call_fail_with(call, "io.perfflow.BadScope", "%s", sentence);
	return -EINVAL;
}

/* Takes the descriptor out of the call. Returns 0, or -EINVAL when the call has been answered. */
static int take_output(struct call *call, int64_t index, int *ret_fd)
{
	int flags;

	if (index < 0) {
		*ret_fd = -1;
		return 0;
	}
	if ((uint64_t)index >= call->n_fds) {
		call_fail_with(call, "io.perfflow.BadOutput",
			       "descriptor %lld did not come with the call", (long long)index);
		return -EINVAL;
	}

	flags = fcntl(call->fds[index], F_GETFL);
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY) {
		call_fail_with(call, "io.perfflow.BadOutput", "the output is not open for writing");
		return -EINVAL;
	}

	*ret_fd = take_fd(call->fds[index]);
	return 0;
}

static void fail_bad_aspect(struct call *call, const struct session_failure *failure, int r)
{
	const struct json_member members[] = {
		{"message", json_text(why_text(&failure->why, r))},
		{"aspect", json_text(failure->aspect ? failure->aspect : "")},
		{"column", json_object_new_int64((int64_t)failure->column + 1)},
		{0},
	};

	call_fail(call, "io.perfflow.BadAspect", json_build(members));
}

static void fail_no_match(struct call *call, const struct session_failure *failure, int r)
{
	const struct json_member members[] = {
		{"message", json_text(why_text(&failure->why, r))},
		{"aspect", json_text(failure->aspect ? failure->aspect : "")},
		{"candidates", json_strings(&failure->candidates)},
		{0},
	};

	call_fail(call, "io.perfflow.NoMatch", json_build(members));
}

static void fail_with_reason(struct call *call, const struct session_failure *failure, int r)
{
	static const char *const errors[] = {
		[SESSION_FAULT_SYSTEM] = "io.perfflow.Failed",
		[SESSION_FAULT_SCOPE] = "io.perfflow.BadScope",
		[SESSION_FAULT_OUTPUT] = "io.perfflow.BadOutput",
		[SESSION_FAULT_LIMIT] = "io.perfflow.LimitReached",
	};

	if (failure->fault == SESSION_FAULT_ASPECT)
		fail_bad_aspect(call, failure, r);
	else if (failure->fault == SESSION_FAULT_MATCH)
		fail_no_match(call, failure, r);
	else
		call_fail_with(call, errors[failure->fault], "%s", why_text(&failure->why, r));
}

static void start_session(struct daemon *daemon, struct call *call, const struct start *start,
			  const struct start_scope *scope)
{
	_cleanup_(session_failure_done) struct session_failure failure = {0};
	struct session_config config = {
		.aspects = &start->aspects,
		.pid = (pid_t)scope->pid,
		.binary = scope->binary,
		.command = scope->command.n_items > 0 ? &scope->command : NULL,
		.compress = start->compress,
		.allow_empty = start->allow_empty,
		.uid = peer_uid(call->peer),
		.client_pid = peer_pid(call->peer),
	};
	struct daemon_session *session;
	int r;

	if (start->returns && site_mode_parse(start->returns, &config.returns) < 0) {
		call_fail(call, "org.varlink.service.InvalidParameter",
			  JSON_OBJECT({"parameter", json_text("returns")}));
		return;
	}
	if (take_output(call, start->output, &config.output_fd) < 0)
		return;
	r = daemon_start_session(daemon, &config, &session, &failure);
	if (r < 0) {
		fail_with_reason(call, &failure, r);
		return;
	}

	if (!start->detach)
		session->owner = call->peer;
	if (call->more)
		session->start_call = call;
	call_reply(call, JSON_OBJECT({"session", daemon_describe_session(session)}), call->more);
}

static void run_start(struct daemon *daemon, struct call *call)
{
	_cleanup_(start_done) struct start start = {.output = -1};
	_cleanup_(start_scope_done) struct start_scope scope = {0};

	if (parameters_read(call, call->parameters, "", parameters, ARRAY_SIZE(parameters),
			    &start) < 0 ||
	    parameters_read(call, start.scope, "scope.", scope_parameters,
			    ARRAY_SIZE(scope_parameters), &scope) < 0 ||
	    check_scope(call, &scope) < 0)
		return;

	if (daemon->is_stopping)
		call_fail_with(call, "io.perfflow.Failed", "perfflowd is about to end");
	else if (daemon_n_running(daemon) >= DAEMON_MAX_SESSIONS)
		call_fail_with(call, "io.perfflow.LimitReached", "there are %d sessions already",
			       DAEMON_MAX_SESSIONS);
	else
		start_session(daemon, call, &start, &scope);
}

const struct command command_start = {
	.method = "io.perfflow.Start",
	.needs_root = true,
	.run = run_start,
};
