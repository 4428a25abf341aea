/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_stop.c - perfflow stop: end a session, wherever it was started, and wait until its trace is
 * complete
 */
#include <stdint.h>
#include <stdlib.h>

#include "client.h"
#include "command.h"
#include "options.h"
#include "report.h"

static int run_stop(int argc, char **argv)
{
	struct json_object *parameters = NULL, *sessions;
	_cleanup_(reply_done) struct reply reply = {0};
	struct query_options options = {0};
	int64_t id;
	int r;

	r = query_options_parse(&options, &command_stop, argc, argv, 1);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	if (option_number(argv[optind], 1, INT64_MAX, &id) < 0)
		return command_usage_error(&command_stop, "'%s' is no number of a session",
					   argv[optind]);

	parameters = json_object_new_object();
	json_object_object_add(parameters, "id", json_object_new_int64(id));
	if (client_ask(options.socket_path, "io.perfflow.Stop", parameters, &reply) < 0)
		return EXIT_FAILURE;

	if (options.json) {
		report_json(reply.parameters);
		return EXIT_SUCCESS;
	}
	sessions = json_object_new_array();
	json_object_array_add(sessions, json_object_get(member_object(reply.parameters, "session",
								      json_type_object)));
	report_sessions(sessions);
	json_object_put(sessions);

	return EXIT_SUCCESS;
}

const struct command command_stop = {
	.name = "stop",
	.usage = "stop [--json] [--socket PATH] ID",
	.help = "end a session of the service",
	.details = QUERY_OPTION_HELP,
	.run = run_stop,
};
