/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cmd_convert.c - perfflow convert: a trace as other tools read it */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "convert/convert.h"
#include "options.h"
#include "report.h"

enum { OPTION_TO = 512, OPTION_WALL_CLOCK };

static void report_left_out(const struct convert_options *options,
			    const struct convert_result *result)
{
	_cleanup_(text_done) struct text list = {0};

	for (enum convert_kind kind = 0; kind < CONVERT_N_KINDS; kind++)
		if (result->n_left_out[kind])
			text_printf(&list, "%s%s (%" PRIu64 ")", list.size ? ", " : "",
				    convert_kind_name(kind), result->n_left_out[kind]);
	if (list.size)
		report("left out, for %s has no place for them: %s", options->format, list.data);
	if (result->n_stray)
		report("left out: events without their other end, or without a time (%" PRIu64 ")",
		       result->n_stray);
	if (result->n_cut_off)
		report("calls that never ended (%" PRIu64 "): they end with the trace",
		       result->n_cut_off);
}

static void report_ending(const char *trace, const struct convert_result *result)
{
	const struct reader_ending *ending = &result->ending;

	if (result->damage[0])
		report("'%s' is not whole: %s; line %" PRIu64 " is the last one that was read",
		       trace, result->damage, ending->line);
	else if (!ending->is_closed)
		report("'%s' is not closed: line %" PRIu64 " is the last one that was read", trace,
		       ending->line);
}

static int convert_run(const struct convert_options *options, bool quiet)
{
	struct convert_result result;
	struct why why = {0};
	int r;

	signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error like others */
	r = convert(options, &result, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}
	if (!quiet) {
		report_ending(options->inputs[result.ending_of], &result);
		report_left_out(options, &result);
	}
	return EXIT_SUCCESS;
}

static bool is_format(const char *name)
{
	for (size_t i = 0; convert_format_name(i); i++)
		if (strcmp(convert_format_name(i), name) == 0)
			return true;
	return false;
}

static int check_arguments(const struct convert_options *options, int argc)
{
	_cleanup_(text_done) struct text list = {0};

	for (size_t i = 0; convert_format_name(i); i++)
		text_printf(&list, "%s%s", i ? ", " : "", convert_format_name(i));
	if (!options->format)
		command_usage_error(&command_convert, "--to is missing: %s", list.data);
	else if (!is_format(options->format))
		command_usage_error(&command_convert, "there is no format '%s': %s",
				    options->format, list.data);
	else if (optind >= argc)
		command_usage_error(&command_convert, "one trace is needed, or the pieces of one");
	else
		return 0;
	return -EINVAL;
}

/* Returns 0, 1 if help was printed, or -EINVAL. */
static int parse_arguments(struct convert_options *options, bool *quiet, int argc, char **argv)
{
	static const struct option list[] = {
		OPTION_LIST_HELP,
		{"to", required_argument, NULL, OPTION_TO},
		{"output", required_argument, NULL, 'o'},
		{"wall-clock", no_argument, NULL, OPTION_WALL_CLOCK},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{0},
	};
	int c, r;

	while ((c = getopt_long(argc, argv, ":ho:", list, NULL)) >= 0) {
		switch (c) {
		case 'h':
			command_print_help(&command_convert);
			return 1;
		case OPTION_TO:
			options->format = optarg;
			break;
		case 'o':
			options->output = optarg;
			break;
		case OPTION_WALL_CLOCK:
			options->wall_clock = true;
			break;
		case OPTION_QUIET:
			*quiet = true;
			break;
		default:
			option_error(&command_convert, c, argv);
			return -EINVAL;
		}
	}
	r = check_arguments(options, argc);
	if (r == 0)
		options->inputs = (const char *const *)argv + optind;
	return r;
}

static int run_convert(int argc, char **argv)
{
	struct convert_options options = {0};
	bool quiet = false;
	int r;

	r = parse_arguments(&options, &quiet, argc, argv);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	return convert_run(&options, quiet);
}

const struct command command_convert = {
	.name = "convert",
	.usage = "convert --to FORMAT TRACE... [-o FILE]",
	.help = "write a trace as another tool reads it",
	.details = "  --to hatchet         Hatchet's from_perfflowaspect: one file a thread in a "
		   "folder\n"
		   "  --to dftracer        DFAnalyzer of DFTracer: an object a line, whole "
		   "microseconds\n"
		   "  --to perfflowaspect  PerfFlowAspect's own files: one a process in a folder\n"
		   "  --to folded          flame graphs: a line a stack, with its own nanoseconds\n"
		   "  --to csv             tables: a row a call\n"
		   "  -o, --output FILE    where it goes: - is standard output (the default), a "
		   "name in .gz\n"
		   "                       makes it a gzip file, FOLDER/ puts several files there\n"
		   "  --wall-clock         perfflowaspect: whole microseconds since 1970, as its "
		   "own files\n"
		   "                       have them; nothing shorter can be told apart then\n"
		   "  --quiet              do not say what was left out\n"
		   "\n"
		   "TRACE is a trace of perfflow or PerfFlowAspect, also compressed or cut off; - "
		   "is standard\n"
		   "input. However long it is, it needs little memory: what has to be put in order "
		   "waits in a\n"
		   "temporary file in $TMPDIR or /var/tmp. Several are the pieces that --rotate "
		   "made of one,\n"
		   "in their order. docs/convert.md tells more.\n",
	.run = run_convert,
};
