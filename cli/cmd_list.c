/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cmd_list.c - perfflow list: the sessions that run, and the last ones that have ended */
#include <stdlib.h>

#include "client.h"
#include "command.h"
#include "options.h"
#include "report.h"

static int run_list(int argc, char **argv)
{
	_cleanup_(reply_done) struct reply reply = {0};
	struct query_options options = {0};
	int r;

	r = query_options_parse(&options, &command_list, argc, argv, 0);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	if (client_ask(options.socket_path, "io.perfflow.List", NULL, &reply) < 0)
		return EXIT_FAILURE;

	if (options.json)
		report_json(reply.parameters);
	else
		report_sessions(member_object(reply.parameters, "sessions", json_type_array));

	return EXIT_SUCCESS;
}

const struct command command_list = {
	.name = "list",
	.usage = "list [--json] [--socket PATH]",
	.help = "list the sessions of the service",
	.details = QUERY_OPTION_HELP,
	.run = run_list,
};
