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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/audit.h"
#include "control/command.h"
#include "control/daemon.h"
#include "session/rotation.h"

struct start_scope {
	int64_t pid; /* or 0 */
	const char *binary;
	struct strings command;
};

/* Strings are borrowed from the call, which stays until it is answered. */
struct start {
	struct call *call;
	struct start_scope in;
	struct privilege privilege;
	gid_t *groups;
	struct strings aspects;
	struct json_object *scope;
	int64_t output, pfw_files, pieces; /* indices of descriptors, or -1 */
	int64_t rotate_bytes, rotate_ms; /* or 0 */
	bool compress, allow_empty, detach;
	const char *returns, *metrics, *processes, *python; /* or NULL */
	bool sched;
	int64_t interval_ms;
	int64_t budget_permille; /* or -1: as the policy has it */
};

static const struct parameter parameters[] = {
	{"aspects", PARAMETER_STRINGS, offsetof(struct start, aspects), true},
	{"scope", PARAMETER_OBJECT, offsetof(struct start, scope), true},
	{"output", PARAMETER_NUMBER, offsetof(struct start, output), false},
	{"pfw_files", PARAMETER_NUMBER, offsetof(struct start, pfw_files), false},
	{"pieces", PARAMETER_NUMBER, offsetof(struct start, pieces), false},
	{"rotate_bytes", PARAMETER_NUMBER, offsetof(struct start, rotate_bytes), false},
	{"rotate_ms", PARAMETER_NUMBER, offsetof(struct start, rotate_ms), false},
	{"compress", PARAMETER_BOOL, offsetof(struct start, compress), false},
	{"allow_empty", PARAMETER_BOOL, offsetof(struct start, allow_empty), false},
	{"detach", PARAMETER_BOOL, offsetof(struct start, detach), false},
	{"returns", PARAMETER_STRING, offsetof(struct start, returns), false},
	{"metrics", PARAMETER_STRING, offsetof(struct start, metrics), false},
	{"processes", PARAMETER_STRING, offsetof(struct start, processes), false},
	{"sched", PARAMETER_BOOL, offsetof(struct start, sched), false},
	{"interval_ms", PARAMETER_NUMBER, offsetof(struct start, interval_ms), false},
	{"python", PARAMETER_STRING, offsetof(struct start, python), false},
	{"budget_permille", PARAMETER_NUMBER, offsetof(struct start, budget_permille), false},
};

static const struct parameter scope_parameters[] = {
	{"pid", PARAMETER_NUMBER, offsetof(struct start_scope, pid), false},
	{"binary", PARAMETER_STRING, offsetof(struct start_scope, binary), false},
	{"command", PARAMETER_STRINGS, offsetof(struct start_scope, command), false},
};

static void start_free(struct start *start)
{
	if (!start)
		return;
	strings_done(&start->aspects);
	strings_done(&start->in.command);
	free(start->groups);
	free(start);
}
DEFINE_CLEANUP(struct start, start_free)

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

/* Returns 1 if there is one, 0 if none is meant, or -EINVAL when the call has been answered. */
static int find_descriptor(struct call *call, int64_t index)
{
	if (index < 0)
		return 0;
	if ((uint64_t)index < call->n_fds && call->fds[index] >= 0)
		return 1;
	call_fail_with(call, "io.perfflow.BadOutput", "descriptor %lld did not come with the call",
		       (long long)index);
	return -EINVAL;
}

/* Takes the descriptor out of the call. Returns 0, or -EINVAL when the call has been answered. */
static int take_output(struct call *call, int64_t index, int *ret_fd)
{
	int flags, r = find_descriptor(call, index);

	*ret_fd = -1;
	if (r <= 0)
		return r;
	flags = fcntl(call->fds[index], F_GETFL);
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY) {
		call_fail_with(call, "io.perfflow.BadOutput", "the output is not open for writing");
		return -EINVAL;
	}

	*ret_fd = take_fd(call->fds[index]);
	return 0;
}

/* The same with a socket at whose other end files are made. */
static int take_maker(struct call *call, int64_t index, int *ret_fd)
{
	int domain = 0, type = 0, r = find_descriptor(call, index);
	socklen_t size = sizeof(int);

	*ret_fd = -1;
	if (r <= 0)
		return r;
	getsockopt(call->fds[index], SOL_SOCKET, SO_DOMAIN, &domain, &size);
	getsockopt(call->fds[index], SOL_SOCKET, SO_TYPE, &type, &size);
	if (domain != AF_UNIX || type != SOCK_SEQPACKET) {
		call_fail_with(call, "io.perfflow.BadOutput",
			       "what is to make the files is no Unix socket of type SEQPACKET");
		return -EINVAL;
	}
	*ret_fd = take_fd(call->fds[index]);
	return 0;
}

/* The descriptors of a session. Returns 0, or -EINVAL when the call has been answered. */
static int take_descriptors(struct call *call, const struct start *start, struct session_config *config)
{
	config->output_fd = config->files_fd = config->pieces_fd = -1;
	if (take_output(call, start->output, &config->output_fd) == 0 &&
	    take_maker(call, start->pfw_files, &config->files_fd) == 0 &&
	    take_maker(call, start->pieces, &config->pieces_fd) == 0)
		return 0;
	session_config_close(config);
	return -EINVAL;
}

/* The name of a number that is out of its bounds, or NULL. */
static const char *find_bad_number(const struct start *start)
{
	bool is_rotated = start->rotate_bytes || start->rotate_ms;

	if (start->interval_ms < SESSION_MIN_INTERVAL_MS || start->interval_ms > SESSION_MAX_INTERVAL_MS)
		return "interval_ms";
	if ((start->pieces >= 0) != is_rotated || (start->pieces >= 0 && start->output < 0))
		return "pieces";
	if (start->rotate_bytes && start->rotate_bytes < ROTATION_MIN_BYTES)
		return "rotate_bytes";
	if (start->rotate_ms && (start->rotate_ms < ROTATION_MIN_MS || start->rotate_ms > INT32_MAX))
		return "rotate_ms";
	return NULL;
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
		[SESSION_FAULT_METRICS] = "io.perfflow.BadMetrics",
		[SESSION_FAULT_PERMISSION] = "io.perfflow.PermissionDenied",
	};

	if (failure->fault == SESSION_FAULT_PERMISSION || failure->fault == SESSION_FAULT_LIMIT)
		audit_refusal(peer_uid(call->peer), peer_pid(call->peer), call->method, why_text(&failure->why, r));
	if (failure->fault == SESSION_FAULT_ASPECT)
		fail_bad_aspect(call, failure, r);
	else if (failure->fault == SESSION_FAULT_MATCH)
		fail_no_match(call, failure, r);
	else
		call_fail_with(call, errors[failure->fault], "%s", why_text(&failure->why, r));
}

static void fail_parameter(struct call *call, const char *name)
{
	call_fail(call, "org.varlink.service.InvalidParameter", JSON_OBJECT({"parameter", json_text(name)}));
}

static void fail_limit(struct call *call, const struct why *why, int r)
{
	audit_refusal(peer_uid(call->peer), peer_pid(call->peer), call->method, why_text(why, r));
	call_fail_with(call, "io.perfflow.LimitReached", "%s", why_text(why, r));
}

/* Returns 0, or -EUSERS when the call has been answered. */
static int choose_budget(struct daemon *daemon, struct call *call, int64_t permille, unsigned int *ret_permille)
{
	struct why why = {0};
	int r;

	r = policy_choose_budget(&daemon->policy, call_is_trusted(daemon, call), permille, ret_permille, &why);
	if (r < 0)
		fail_limit(call, &why, r);
	return r;
}

/* What a plain user may see; *ret_privilege is NULL for one who is trusted. Its groups are the caller's. */
static int find_privilege(struct daemon *daemon, const struct call *call, struct privilege *privilege,
			  const struct privilege **ret_privilege, gid_t **ret_groups)
{
	struct daemon_quotas *quotas;
	struct policy_client client;
	int r;

	*ret_privilege = NULL;
	if (call_is_trusted(daemon, call))
		return 0;
	r = peer_client(call->peer, &client, ret_groups);
	if (r >= 0)
		r = daemon_quotas_of(daemon, client.uid, &quotas);
	if (r < 0)
		return r;
	*privilege = (struct privilege){
		.rights = {.uid = client.uid, .gid = client.groups[0], .groups = client.groups, .n_groups = client.n_groups},
		.functions = &quotas->functions,
		.bytes = &quotas->bytes,
		.reading = &quotas->reading,
		.max_records_per_s = daemon->policy.n_records_per_s,
	};
	*ret_privilege = privilege;
	return 0;
}

static void on_started(struct daemon_session *session, int r, const struct session_failure *failure, void *userdata)
{
	_cleanup_(start_freep) struct start *start = userdata;
	struct call *call = start->call;

	if (r < 0) {
		fail_with_reason(call, failure, r);
		return;
	}
	if (call->more)
		session->start_call = call;
	call_reply(call, JSON_OBJECT({"session", daemon_describe_session(session)}), call->more);
}

/* The name of a parameter that means nothing, or NULL. */
static const char *find_bad_parameter(const struct start *start, enum site_mode *ret_returns)
{
	if (start->returns && site_mode_parse(start->returns, ret_returns) < 0)
		return "returns";
	if (start->python && start->python[0] != '/')
		return "python";
	if (start->budget_permille > SESSION_MAX_BUDGET_PERMILLE)
		return "budget_permille";
	return find_bad_number(start);
}

static void start_session(struct daemon *daemon, struct start *start)
{
	_cleanup_(start_freep) struct start *owned = start;
	struct call *call = start->call;
	struct session_config config = {
		.aspects = &start->aspects,
		.pid = (pid_t)start->in.pid,
		.binary = start->in.binary,
		.command = start->in.command.n_items > 0 ? &start->in.command : NULL,
		.compress = start->compress,
		.allow_empty = start->allow_empty,
		.metrics = start->metrics,
		.processes = start->processes,
		.python = start->python,
		.with_sched = start->sched,
		.interval_ms = (unsigned int)start->interval_ms,
		.read_s = daemon->policy.read_s,
		.piece_bytes = (uint64_t)start->rotate_bytes,
		.piece_ns = (uint64_t)start->rotate_ms * 1000000,
		.uid = peer_uid(call->peer),
		.client_pid = peer_pid(call->peer),
	};
	const char *bad = find_bad_parameter(start, &config.returns);
	int r;

	r = find_privilege(daemon, call, &start->privilege, &config.privilege, &start->groups);
	if (r < 0) {
		call_fail_with(call, "io.perfflow.Failed", "cannot tell who you are");
		return;
	}
	if (bad) {
		fail_parameter(call, bad);
		return;
	}
	if (choose_budget(daemon, call, start->budget_permille, &config.budget_permille) < 0)
		return;
	if (take_descriptors(call, start, &config) < 0)
		return;
	config.calibration = daemon_calibration(daemon);
	r = daemon_start_session(daemon, &config, start->detach ? NULL : call->peer, on_started, start);
	if (r < 0)
		call_fail_with(call, "io.perfflow.Failed", "cannot start a thread for the session: %s", strerror(-r));
	else
		take_ptr(owned);
}

/* Returns 0, or a negative errno when the call has been answered. */
static int check_policy(struct daemon *daemon, struct call *call, const struct start_scope *scope)
{
	const struct policy_wish wish = {.pid = (pid_t)scope->pid};
	uid_t uid = peer_uid(call->peer);
	struct why why = {0};
	int r;

	r = call_check(daemon, call, &wish);
	if (r < 0)
		return r;
	r = policy_check_sessions(&daemon->policy, uid, daemon_n_running(daemon), daemon_n_running_of(daemon, uid), &why);
	if (r < 0)
		fail_limit(call, &why, r);
	return r;
}

static void run_start(struct daemon *daemon, struct call *call)
{
	_cleanup_(start_freep) struct start *start = malloc(sizeof(*start));

	if (!start) {
		call_fail_with(call, "io.perfflow.Failed", "%s", strerror(ENOMEM));
		return;
	}
	*start = (struct start){
		.call = call,
		.output = -1,
		.pfw_files = -1,
		.pieces = -1,
		.interval_ms = SESSION_INTERVAL_MS,
		.budget_permille = -1,
	};
	if (parameters_read(call, call->parameters, "", parameters, ARRAY_SIZE(parameters), start) < 0 ||
	    parameters_read(call, start->scope, "scope.", scope_parameters, ARRAY_SIZE(scope_parameters),
			    &start->in) < 0 ||
	    check_scope(call, &start->in) < 0)
		return;

	if (daemon->is_stopping)
		call_fail_with(call, "io.perfflow.Failed", "perfflowd is about to end");
	else if (check_policy(daemon, call, &start->in) == 0)
		start_session(daemon, take_ptr(start));
}

const struct command command_start = {
	.method = "io.perfflow.Start",
	.is_for_users = true,
	.run = run_start,
};
