/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* options.c - what several subcommands read from their arguments */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/site.h"
#include "util/cleanup.h"

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
}

int trace_option_take(struct trace_options *options, int c, const char *argument)
{
	switch (c) {
	case 'p':
		return strings_add(&options->aspects, argument);
	case 'o':
		options->output = argument;
		return 0;
	case OPTION_SOCKET:
		options->socket_path = argument;
		return 0;
	case OPTION_RETURNS:
		options->returns = argument;
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

int trace_options_check(const struct trace_options *options, const struct command *command)
{
	enum site_mode mode;

	if (options->aspects.n_items == 0)
		command_usage_error(command, "-p is missing: which functions are to be traced?");
	else if (options->returns && site_mode_parse(options->returns, &mode) < 0)
		command_usage_error(command, RETURNS_ERROR, options->returns);
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
