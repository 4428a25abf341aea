/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control/cmd_status.c - io.perfflow.Status */
#include <unistd.h>

#include "control/command.h"
#include "control/daemon.h"
#include "probe/features.h"

static struct json_object *describe_features(void)
{
	return JSON_OBJECT({"uprobe_multi", json_object_new_boolean(feature_is_there(FEATURE_UPROBE_MULTI))});
}

/* A plain user sees the own sessions alone. */
static struct json_object *describe_daemon(const struct daemon *daemon, const uid_t *uid)
{
	const struct json_member members[] = {
		{"version", json_text(PERFFLOW_VERSION)},
		{"pid", json_object_new_int64(getpid())},
		{"started_us", json_object_new_int64((int64_t)daemon->started_us)},
		{"features", describe_features()},
		{"sessions", daemon_describe_sessions(daemon, uid)},
		{0},
	};

	return json_build(members);
}

static void run_status(struct daemon *daemon, struct call *call)
{
	uid_t uid;

	if (parameters_read(call, call->parameters, "", NULL, 0, NULL) < 0)
		return;

	uid = peer_uid(call->peer);
	call_reply(call, describe_daemon(daemon, call_is_trusted(daemon, call) ? NULL : &uid), false);
}

const struct command command_status = {
	.method = "io.perfflow.Status",
	.is_for_users = true,
	.run = run_status,
};
