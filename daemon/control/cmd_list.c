/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control/cmd_list.c - io.perfflow.List */
#include "control/command.h"
#include "control/daemon.h"

static void run_list(struct daemon *daemon, struct call *call)
{
	if (parameters_read(call, call->parameters, "", NULL, 0, NULL) < 0)
		return;

	call_reply(call, JSON_OBJECT({"sessions", daemon_describe_sessions(daemon)}), false);
}

const struct command command_list = {
	.method = "io.perfflow.List",
	.needs_root = true,
	.run = run_list,
};
