/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* options.c - what several subcommands read from their arguments */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/aspect_file.h"
#include "probe/site.h"
#include "util/cleanup.h"

#define MIN_INTERVAL_MS 10
#define MAX_INTERVAL_MS 60000
#define MIN_ROTATE_BYTES (64 * 1024)
#define MIN_ROTATE_MS 1000
#define MAX_ROTATE_MS INT32_MAX
#define MAX_KEPT 100000
#define MAX_DURATION_MS (1000.0 * 60 * 60 * 24 * 365)

int option_error(const struct command *command, int c, char **argv)
{
	const char *option = argv[optind - 1];

	if (c == ':')
		return command_usage_error(command, "'%s' needs an argument", option);
	/* Of several letters in one word getopt only tells which one it was. */
	if (optopt && optopt < 256 && strncmp(option, "--", 2) != 0)
		return command_usage_error(command, "there is no option '-%c'", optopt);
	if (optopt)
		return command_usage_error(command, "'%s' takes no argument", option);

	return command_usage_error(command, "there is no option '%s', or several begin so", option);
}

void trace_options_done(struct trace_options *options)
{
	strings_done(&options->aspects);
	strings_done(&options->aspect_files);
}

int trace_option_take(struct trace_options *options, int c, const char *argument)
{
	switch (c) {
	case 'p':
		return strings_add(&options->aspects, argument);
	case 'f':
		return strings_add(&options->aspect_files, argument);
	case 'o':
		options->output = argument;
		return 0;
	case OPTION_SOCKET:
		options->socket_path = argument;
		return 0;
	case OPTION_RETURNS:
		options->returns = argument;
		return 0;
	case OPTION_METRICS:
		options->metrics = argument;
		return 0;
	case OPTION_PFW:
		options->pfw = true;
		options->pfw_folder = argument;
		return 0;
	case OPTION_SCOPE:
		options->scope = argument;
		return 0;
	case OPTION_SCHED:
		options->sched = true;
		return 0;
	case OPTION_INTERVAL:
		if (option_duration(argument, &options->interval_ms) < 0)
			options->interval_ms = -1;
		return 0;
	case OPTION_BUDGET:
		options->has_budget = true;
		if (option_budget(argument, &options->budget_permille) < 0)
			options->budget_permille = -1;
		return 0;
	case OPTION_ROTATE:
		if (option_size(argument, &options->rotate_bytes) < 0 &&
		    option_duration(argument, &options->rotate_ms) < 0)
			options->rotate_bytes = -1;
		return 0;
	case OPTION_KEEP:
		if (option_number(argument, 1, MAX_KEPT, &options->keep) < 0)
			options->keep = -1;
		return 0;
	case OPTION_ALLOW_EMPTY:
		options->allow_empty = true;
		return 0;
	case OPTION_QUIET:
		options->quiet = true;
		return 0;
	default:
		return -EINVAL;
	}
}

bool trace_options_rotate(const struct trace_options *options)
{
	return options->rotate_bytes || options->rotate_ms;
}

/* Returns a sentence about what is wrong with them, or NULL. */
static const char *check_rotation(const struct trace_options *options)
{
	bool to_stdout = options->output && strcmp(options->output, "-") == 0;

	if (options->rotate_bytes && options->rotate_bytes < MIN_ROTATE_BYTES)
		return "--rotate takes a size from 64K on, as 100M or 2G, or a time from 1s on, as 10m or 1h";
	if (options->rotate_ms && (options->rotate_ms < MIN_ROTATE_MS || options->rotate_ms > MAX_ROTATE_MS))
		return "--rotate takes a time from 1s to 24 days, as 10m or 1h";
	if (options->keep < 0)
		return "--keep takes a number of files, from 1 to 100000";
	if (options->keep && !trace_options_rotate(options))
		return "--keep belongs to --rotate";
	if (trace_options_rotate(options) && (to_stdout || (options->pfw && !options->output)))
		return "--rotate needs a trace that is a file: -o FILE";
	return NULL;
}

static int read_aspect_files(struct trace_options *options, struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < options->aspect_files.n_items && r >= 0; i++)
		r = aspect_file_read(options->aspect_files.items[i], &options->aspects, why);
	return r;
}

int trace_options_check(struct trace_options *options, const struct command *command)
{
	const char *rotation = check_rotation(options);
	struct why why = {0};
	enum site_mode mode;
	int r = read_aspect_files(options, &why);

	if (r < 0)
		fprintf(stderr, "perfflow: %s\n", why_text(&why, r));
	else if (options->pfw_folder && !*options->pfw_folder)
		command_usage_error(command, "--pfw= is followed by a folder");
	else if (options->aspects.n_items == 0 && !options->pfw)
		command_usage_error(command, "-p or -f is missing: which functions are to be traced?");
	else if (options->returns && site_mode_parse(options->returns, &mode) < 0)
		command_usage_error(command, RETURNS_ERROR, options->returns);
	else if (options->interval_ms && (options->interval_ms < MIN_INTERVAL_MS || options->interval_ms > MAX_INTERVAL_MS))
		command_usage_error(command, "the interval is a time from 10ms to 1m, as 100ms or 1s");
	else if (rotation)
		command_usage_error(command, "%s", rotation);
	else if (options->has_budget && options->budget_permille < 0)
		command_usage_error(command, "the budget is a share from 0.1%% to 100%% of a thread's time, as 5%%, or none");
	else
		return 0;
	return -EINVAL;
}

int query_options_parse(struct query_options *options, const struct command *command, int argc,
			char **argv, int n_words)
{
	static const struct option list[] = {
		OPTION_LIST_HELP, OPTION_LIST_SOCKET, OPTION_LIST_JSON, {0}};
	int c;

	while ((c = getopt_long(argc, argv, ":h", list, NULL)) >= 0) {
		switch (c) {
		case 'h':
			command_print_help(command);
			return 1;
		case OPTION_SOCKET:
			options->socket_path = optarg;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		default:
			option_error(command, c, argv);
			return -EINVAL;
		}
	}

	if (argc - optind > n_words)
		command_usage_error(command, "unexpected argument '%s'", argv[optind + n_words]);
	else if (argc - optind < n_words)
		command_usage_error(command, "an argument is missing");

	return argc - optind == n_words ? 0 : -EINVAL;
}

int option_number(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		return -EINVAL;

	*ret_number = number;
	return 0;
}

int option_size(const char *text, int64_t *ret_bytes)
{
	static const char units[] = "KMG";
	const char *unit;
	int64_t number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (errno || end == text || !unit || end[1] || number < 1 || number > INT32_MAX)
		return -EINVAL;

	*ret_bytes = number << (10 * (unit - units + 1));
	return 0;
}

int option_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
	double number, ms;
	char *end;

	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	number = strtod(text, &end);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].name, end) != 0)
			continue;
		ms = number * units[i].ms;
		if (!(ms >= 1 && ms <= MAX_DURATION_MS))
			return -EINVAL;
		*ret_ms = (int64_t)ms;
		return 0;
	}

	return -EINVAL;
}

int option_budget(const char *text, int *ret_permille)
{
	double percent;
	char *end;

	if (strcmp(text, "none") == 0) {
		*ret_permille = 0;
		return 0;
	}
	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	percent = strtod(text, &end);
	if (strcmp(end, "%") != 0 || !(percent >= 0.1 && percent <= 100))
		return -EINVAL;
	*ret_permille = (int)(percent * 10 + 0.5);
	return 0;
}
