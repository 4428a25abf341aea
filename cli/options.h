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
	OPTION_BUDGET,
	OPTION_DURATION,
	OPTION_EXPLAIN,
	OPTION_INTERVAL,
	OPTION_JSON,
	OPTION_KEEP,
	OPTION_METRICS,
	OPTION_PFW,
	OPTION_PID,
	OPTION_QUIET,
	OPTION_RETURNS,
	OPTION_ROTATE,
	OPTION_SCHED,
	OPTION_SCOPE,
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
	struct strings aspect_files; /* whose aspects come behind those */
	const char *output;	 /* a path, "-" for standard output, or NULL: a name is made up */
	const char *socket_path; /* or NULL */
	const char *returns;	 /* "auto", "sites", ... or NULL */
	const char *metrics;	 /* "mem,faults" or NULL */
	const char *scope;	 /* an expression about processes, or NULL */
	int64_t interval_ms;	 /* between two samples of CPU usage; 0: as usual */
	int64_t rotate_bytes, rotate_ms; /* of a piece of the trace; 0: no limit; -1: none that is known */
	int64_t keep;		 /* pieces; 0: all; -1: no number */
	bool pfw;		 /* PerfFlowAspect's files */
	const char *pfw_folder;	 /* all of them go there, or NULL */
	int budget_permille;	 /* 0: none; -1: no share */
	bool has_budget;	 /* else that is void */
	bool sched;
	bool allow_empty;
	bool quiet; /* no summary */
};
void trace_options_done(struct trace_options *options);

#define RETURNS_ERROR "'%s' is no way to see returns: auto, sites, probes or never"

#define TRACE_OPTION_LETTERS ":hp:f:o:"
/* clang-format off */
#define TRACE_OPTION_LIST                                         \
	OPTION_LIST_HELP,                                         \
	OPTION_LIST_SOCKET,                                       \
	{"aspect", required_argument, NULL, 'p'},                 \
	{"from", required_argument, NULL, 'f'},                   \
	{"output", required_argument, NULL, 'o'},                 \
	{"allow-empty", no_argument, NULL, OPTION_ALLOW_EMPTY},   \
	{"returns", required_argument, NULL, OPTION_RETURNS},     \
	{"metrics", required_argument, NULL, OPTION_METRICS},     \
	{"pfw", optional_argument, NULL, OPTION_PFW},             \
	{"scope", required_argument, NULL, OPTION_SCOPE},         \
	{"interval", required_argument, NULL, OPTION_INTERVAL},   \
	{"rotate", required_argument, NULL, OPTION_ROTATE},       \
	{"keep", required_argument, NULL, OPTION_KEEP},           \
	{"budget", required_argument, NULL, OPTION_BUDGET},       \
	{"sched", no_argument, NULL, OPTION_SCHED},               \
	{"quiet", no_argument, NULL, OPTION_QUIET}
#define TRACE_OPTION_HELP                                                                          \
	"  -p, --aspect ASPECT  functions to trace, [MODULE:]NAME with * and ?, or more of an\n"  \
	"                       expression, with what to record of them; may be repeated\n"        \
	"  -f, --from FILE      more of them, one a line: of a file, or by its name of one in\n"               \
	"                       /etc/perfflow/aspects.d/NAME.aspect; may be repeated\n"                  \
	"  -o, --output FILE    where the trace goes: - is standard output, a name in .gz makes\n" \
	"                       it a gzip file; else perfflow.HOST.PID.json\n"                      \
	"  --allow-empty        begin even where an aspect matches nothing known yet\n"             \
	"  --returns HOW        how returns are seen: auto, sites, probes or never (entries alone)\n" \
	"  --pfw[=FOLDER]       PerfFlowAspect's files, one a process, as its PERFFLOW_OPTIONS say, or\n" \
	"                       all in the folder; without -p of the functions annotated() in the\n"  \
	"                       source, without -o in place of the trace\n"                           \
	"  --metrics LIST       what spans carry beside CPU time: mem, faults, ctxsw, io, hw, gpu,\n" \
	"                       names of perf counters\n"                                          \
	"  --scope EXPRESSION   only processes for which it holds: 'rank(0) && uid(alice)'\n"      \
	"  --sched              what runs on each CPU, states of threads, who wakes whom\n"        \
	"  --budget SHARE       of a thread's time that tracing may take, as 5%; functions that cost more\n" \
	"                       are sampled, then paused; none: no limit\n"                       \
	"  --interval TIME      between two samples of CPU utilisation: 100ms\n"                   \
	"  --rotate SIZE|TIME   go on in another file after so much, or so long: 100M, 10m; both may be\n" \
	"                       given. Each is a trace for itself: x.json becomes x.000001.json, ...\n" \
	"  --keep N             of those, only the N newest\n"                                     \
	"  --quiet              print no summary\n"                                                 \
	"  --socket PATH        the service to ask ($PERFFLOW_SOCKET)\n"
/* clang-format on */

/* Takes one of them: 0, or -EINVAL if the code is none of theirs, or -ENOMEM. */
int trace_option_take(struct trace_options *options, int c, const char *argument);

/* Whether the trace is to be in several files. */
bool trace_options_rotate(const struct trace_options *options);

/* Reads the files of aspects, and tells whether all make sense together: 0, or -EINVAL when the user was told. */
int trace_options_check(struct trace_options *options, const struct command *command);

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

/* "5%", "0.5%" in thousandths, or "none", 0: 0 or -EINVAL. */
int option_budget(const char *text, int *ret_permille);

/* "64K", "100M", "2G", in powers of 1024: 0 or -EINVAL. */
int option_size(const char *text, int64_t *ret_bytes);

/* "10s", "500ms", "2m", "1h", "1.5s": 0 or -EINVAL. */
int option_duration(const char *text, int64_t *ret_ms);

#endif
