/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* options.h - what several subcommands read from their arguments */
#ifndef PERFFLOW_CLI_OPTIONS_H
#define PERFFLOW_CLI_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "util/text.h"

/* The long options that have no letter. */
enum option_code {
	OPTION_ALLOW_EMPTY = 256,
	OPTION_BINARY,
	OPTION_DURATION,
	OPTION_EXPLAIN,
	OPTION_JSON,
	OPTION_PID,
	OPTION_QUIET,
	OPTION_RETURNS,
	OPTION_SOCKET,
};

/*
 * Lines of the table for getopt_long(). The string of letters begins with ':' (or "+:"), so that an
 * argument that is missing is told apart from an option that does not exist.
 */
/* clang-format off */
#define OPTION_LIST_HELP   {"help", no_argument, NULL, 'h'}
#define OPTION_LIST_SOCKET {"socket", required_argument, NULL, OPTION_SOCKET}
#define OPTION_LIST_JSON   {"json", no_argument, NULL, OPTION_JSON}
/* clang-format on */

/* Says which option is wrong, after getopt_long() returned '?' or ':'. Returns EXIT_USAGE. */
int option_error(const struct command *command, int c, char **argv);

/* What run and attach have in common. */
struct trace_options {
	struct strings aspects;
	const char *output;	 /* a path, "-" for standard output, or NULL: a name is made up */
	const char *socket_path; /* or NULL */
	const char *returns;	 /* "auto", "sites", ... or NULL */
	bool allow_empty;
	bool quiet; /* no summary */
};
void trace_options_done(struct trace_options *options);

#define RETURNS_ERROR "'%s' is no way to see returns: auto, sites, probes or never"

#define TRACE_OPTION_LETTERS ":hp:o:"
/* clang-format off */
#define TRACE_OPTION_LIST                                         \
	OPTION_LIST_HELP,                                         \
	OPTION_LIST_SOCKET,                                       \
	{"aspect", required_argument, NULL, 'p'},                 \
	{"output", required_argument, NULL, 'o'},                 \
	{"allow-empty", no_argument, NULL, OPTION_ALLOW_EMPTY},   \
	{"returns", required_argument, NULL, OPTION_RETURNS},     \
	{"quiet", no_argument, NULL, OPTION_QUIET}
#define TRACE_OPTION_HELP                                                                          \
	"  -p, --aspect ASPECT  functions to trace, [MODULE:]NAME with * and ?; may be repeated\n" \
	"  -o, --output FILE    where the trace goes: - is standard output, a name in .gz makes\n" \
	"                       it a gzip file; else perfflow.HOST.PID.json\n"                      \
	"  --allow-empty        begin even where an aspect matches nothing known yet\n"             \
	"  --returns HOW        how returns are seen: auto, sites, probes or never (entries alone)\n" \
	"  --quiet              print no summary\n"                                                 \
	"  --socket PATH        the service to ask ($PERFFLOW_SOCKET)\n"
/* clang-format on */

/* Takes one of them: 0, or -EINVAL if the code is none of theirs, or -ENOMEM. */
int trace_option_take(struct trace_options *options, int c, const char *argument);

/* Whether they make sense together: 0, or -EINVAL when the user was told. */
int trace_options_check(const struct trace_options *options, const struct command *command);

/* What list, status and stop have in common. */
struct query_options {
	const char *socket_path; /* or NULL */
	bool json;
};
#define QUERY_OPTION_HELP                                                                          \
	"  --json         print what the service answers, for programs\n"                          \
	"  --socket PATH  the service to ask ($PERFFLOW_SOCKET)\n"

/*
 * Reads them, and n_words words behind them (from argv[optind] on). 0, 1 if help was printed, or
 * -EINVAL.
 */
int query_options_parse(struct query_options *options, const struct command *command, int argc,
			char **argv, int n_words);

/* A whole number from min to max: 0 or -EINVAL. */
int option_number(const char *text, int64_t min, int64_t max, int64_t *ret_number);

/* "10s", "500ms", "2m", "1h", "1.5s": 0 or -EINVAL. */
int option_duration(const char *text, int64_t *ret_ms);

#endif
