/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cmd_status.c - perfflow status: the service as a whole */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client.h"
#include "command.h"
#include "options.h"
#include "report.h"

static void print_status(struct json_object *status)
{
	struct json_object *features = member_object(status, "features", json_type_object);
	struct json_object *sessions = member_object(status, "sessions", json_type_array);
	time_t started = (time_t)(member_number(status, "started_us") / 1000000);
	char when[32] = "";
	struct tm local;

	if (localtime_r(&started, &local))
		strftime(when, sizeof(when), "%F %T", &local);
	printf("perfflowd %s, pid %lld, since %s\n", member_string(status, "version"),
	       (long long)member_number(status, "pid"), when);
	if (features) {
		json_object_object_foreach (features, name, value)
			printf("%s: %s\n", name, json_object_get_boolean(value) ? "yes" : "no");
	}
	if (sessions && json_object_array_length(sessions) > 0) {
		putchar('\n');
		report_sessions(sessions);
	}
}

static int run_status(int argc, char **argv)
{
	_cleanup_(reply_done) struct reply reply = {0};
	struct query_options options = {0};
	int r;

	r = query_options_parse(&options, &command_status, argc, argv, 0);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	if (client_ask(options.socket_path, "io.perfflow.Status", NULL, &reply) < 0)
		return EXIT_FAILURE;

	if (options.json)
		report_json(reply.parameters);
	else
		print_status(reply.parameters);

	return EXIT_SUCCESS;
}

const struct command command_status = {
	.name = "status",
	.usage = "status [--json] [--socket PATH]",
	.help = "show the state of the service",
	.details = QUERY_OPTION_HELP,
	.run = run_status,
};
