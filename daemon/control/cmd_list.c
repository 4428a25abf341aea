/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control/cmd_list.c - io.perfflow.List */
#include "control/command.h"
#include "control/daemon.h"

static void run_list(struct daemon *daemon, struct call *call)
{
	uid_t uid;

	if (parameters_read(call, call->parameters, "", NULL, 0, NULL) < 0)
		return;

	uid = peer_uid(call->peer);
	call_reply(call,
		   JSON_OBJECT({"sessions", daemon_describe_sessions(daemon, call_is_trusted(daemon, call) ? NULL : &uid)}),
		   false);
}

const struct command command_list = {
	.method = "io.perfflow.List",
	.is_for_users = true,
	.run = run_list,
};
