/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_match.c - perfflow match: what a pointcut would select, without a daemon and without any
 * rights
 *
 * A program's own file is looked into; where the pointcut names modules, also the libraries that it
 * would load. Libraries that cannot be read are passed over, as they are when a program is traced;
 * a file that was asked for is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binary/binary.h"
#include "binary/loader.h"
#include "binary/process.h"
#include "binary/source.h"
#include "client.h"
#include "command.h"
#include "options.h"
#include "probe/joinpoint.h"
#include "probe/pointcut.h"
#include "report.h"

#define MAX_NAME_COLUMNS 60

struct match_options {
	int64_t pid;	    /* or 0 */
	const char *binary; /* or NULL */
	const char *pointcut;
	enum site_mode returns;
	bool explain;
	bool json;
};

struct module { /* a binary in which something was found */
	struct binary *binary;
	struct joinpoints joinpoints;
	struct source *source; /* if it is to be explained, and has debug information */
};

struct match {
	const struct match_options *options;
	struct aspect *aspect;
	struct strings paths;
	struct module *modules;
	size_t n_modules;
	size_t n_joinpoints, n_rejected;
};

static void match_done(struct match *match)
{
	for (size_t i = 0; i < match->n_modules; i++) {
		joinpoints_done(&match->modules[i].joinpoints);
		source_close(match->modules[i].source);
		binary_free(match->modules[i].binary);
	}
	free(match->modules);
	strings_done(&match->paths);
	aspect_free(match->aspect);
}

static int add_libraries(struct match *match, struct why *why)
{
	_cleanup_free_ char *path = realpath(match->options->binary, NULL),
			    *directory = getcwd(NULL, 0);
	const char *path_variable = getenv("PATH");
	struct loader_context context = {
		.root = "",
		.directory = directory ? directory : "/",
		.path = path_variable ? path_variable : "/bin:/usr/bin",
		.library_path = getenv("LD_LIBRARY_PATH"),
		.preload = getenv("LD_PRELOAD"),
	};

	if (!path)
		return why_set(why, -errno, "cannot find '%s'", match->options->binary);

	return loader_closure(&context, path, &match->paths, why);
}

static int find_paths(struct match *match, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	_cleanup_(strings_done) struct strings globs = {0};
	int r;

	if (match->options->pid) {
		r = process_check((pid_t)match->options->pid, why);
		return r < 0 ? r : process_files((pid_t)match->options->pid, &match->paths, why);
	}

	r = pointcut_modules(match->aspect->pointcut, &globs);
	if (r < 0)
		return r;
	r = binary_open(match->options->binary, &binary, why);
	if (r < 0)
		return r;
	if (binary->is_program && globs.n_items > 0)
		return add_libraries(match, why);

	return strings_add(&match->paths, match->options->binary);
}

/* Takes the binary if it has join points. */
static int look_into(struct match *match, struct binary **binary, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = {0};
	struct joinpoints joinpoints = {0};
	struct source *source = NULL;
	size_t matched = 0;
	int r;

	r = symbols_read(*binary, &symbols, why);
	if (r < 0)
		return r;
	r = joinpoints_find(*binary, &symbols, (const struct aspect *const *)&match->aspect, 1, &joinpoints, &matched,
			    why);
	if (r < 0)
		return r;

	r = joinpoints.n_items + joinpoints.n_rejected > 0
		    ? array_grow(&match->modules, match->n_modules, sizeof(*match->modules))
		    : 0;
	if (r < 0 || joinpoints.n_items + joinpoints.n_rejected == 0) {
		joinpoints_done(&joinpoints);
		return r;
	}
	if (match->options->explain) /* without debug information there are no lines to tell */
		source_open(*binary, &symbols, &source);
	match->n_joinpoints += joinpoints.n_items;
	match->n_rejected += joinpoints.n_rejected;
	match->modules[match->n_modules++] = (struct module){take_ptr(*binary), joinpoints, source};

	return 0;
}

static int find_joinpoints(struct match *match, struct why *why)
{
	const char *distrust = site_distrust(&match->paths);
	bool is_only = match->paths.n_items == 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < match->paths.n_items; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;
		struct why ignored = {0};

		r = binary_open(match->paths.items[i], &binary, is_only ? why : &ignored);
		if (r == 0)
			binary->distrust = !distrust && is_only && !binary->is_program ? SITE_DISTRUST_LIBRARY
										       : distrust;
		if (r == 0 && pointcut_wants_module(match->aspect->pointcut, binary->name, binary->soname))
			r = look_into(match, &binary, is_only ? why : &ignored);
		if (r < 0 && r != -ENOMEM && !is_only)
			r = 0;
	}

	return r;
}

static int append_name(struct text *name, const struct module *module,
		       const struct joinpoint *joinpoint)
{
	text_append_clean(name, module->binary->name);
	text_append(name, ":", 1);

	return text_append_clean(name, joinpoint->name);
}

/* How wide the first column is; names that are much longer stick out. */
static int name_columns(const struct match *match)
{
	size_t columns = strlen("FUNCTION");

	for (size_t i = 0; i < match->n_modules; i++) {
		const struct joinpoints *joinpoints = &match->modules[i].joinpoints;

		for (size_t j = 0; j < joinpoints->n_items; j++) {
			_cleanup_(text_done) struct text name = {0};

			if (append_name(&name, &match->modules[i], &joinpoints->items[j]) == 0 &&
			    name.size > columns)
				columns = name.size;
		}
	}

	return columns < MAX_NAME_COLUMNS ? (int)columns : MAX_NAME_COLUMNS;
}

static void print_row(int columns, const struct module *module, const struct joinpoint *joinpoint)
{
	_cleanup_(text_done) struct text name = {0};

	if (append_name(&name, module, joinpoint) < 0)
		return;
	printf("%-*s  0x%016" PRIx64 " 0x%-10" PRIx64 " %s\n", columns, name.data,
	       joinpoint->address, joinpoint->site.entry_offset,
	       joinpoint->site.returns == SITE_ENTRY_ONLY ? "entries" : "calls");
}

static void print_table(const struct match *match)
{
	int columns = name_columns(match);

	printf("%-*s  %-18s %-12s %s\n", columns, "FUNCTION", "ADDRESS", "PROBE OFFSET", "SEEN");
	for (size_t i = 0; i < match->n_modules; i++)
		for (size_t j = 0; j < match->modules[i].joinpoints.n_items; j++)
			print_row(columns, &match->modules[i],
				  &match->modules[i].joinpoints.items[j]);
}

static void explain_site(const struct module *module, const struct joinpoint *joinpoint)
{
	const struct site *site = &joinpoint->site;
	uint64_t offset = site->entry_offset;
	const char *path;
	unsigned int line;

	if (module->source && source_find(module->source, joinpoint->address, &path, &line) == 0)
		printf("    source  %s:%u\n", path, line);
	binary_file_offset(module->binary, joinpoint->address, &offset);
	printf("    entry   +%" PRIu64 "  %s  (%s)\n", site->entry_offset - offset,
	       site->instruction[0] ? site->instruction : "?",
	       site->is_optimised  ? "emulated, or a call on Linux 6.18"
	       : site->is_emulated ? "emulated"
				   : "single-stepped");
	printf("    return  %s", site_returns_name(site->returns));
	if (site->returns == SITE_EXITS)
		printf(" (%zu)", site->n_exits);
	printf("%s%s\n", site->reason ? ": " : "", site->reason ? site->reason : "");
	printf("    cost    about %.1f us a call\n", site->cost_ns / 1000.0);
}

static void explain_module(const struct module *module)
{
	for (size_t i = 0; i < module->joinpoints.n_items; i++) {
		_cleanup_(text_done) struct text name = {0};

		if (append_name(&name, module, &module->joinpoints.items[i]) < 0)
			continue;
		printf("%s\n", name.data);
		explain_site(module, &module->joinpoints.items[i]);
	}
	for (size_t i = 0; i < module->joinpoints.n_rejected; i++) {
		const struct rejected *rejected = &module->joinpoints.rejected[i];
		_cleanup_(text_done) struct text name = {0};

		text_append_clean(&name, rejected->name);
		printf("%s:%s\n    rejected: %s\n", module->binary->name, name.data ? name.data : "", rejected->reason);
	}
}

static void print_explained(const struct match *match)
{
	for (size_t i = 0; i < match->n_modules; i++)
		explain_module(&match->modules[i]);
}

static void describe_source(struct json_object *object, const struct module *module, uint64_t address)
{
	const char *path;
	unsigned int line;

	if (!module->source || source_find(module->source, address, &path, &line) < 0)
		return;
	json_object_object_add(object, "file", json_text(path));
	json_object_object_add(object, "line", json_object_new_int64(line));
}

static struct json_object *describe_joinpoint(const struct module *module, const struct joinpoint *joinpoint)
{
	const struct site *site = &joinpoint->site;
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_text(joinpoint->name));
	json_object_object_add(object, "address",
			       json_object_new_int64((int64_t)joinpoint->address));
	json_object_object_add(object, "size", json_object_new_int64((int64_t)joinpoint->size));
	json_object_object_add(object, "probe_offset",
			       json_object_new_int64((int64_t)joinpoint->site.entry_offset));
	json_object_object_add(object, "instruction", json_text(site->instruction));
	json_object_object_add(object, "emulated", json_object_new_boolean(site->is_emulated));
	json_object_object_add(object, "return_seen",
			       json_object_new_boolean(site->returns != SITE_ENTRY_ONLY));
	json_object_object_add(object, "returns", json_text(site_returns_name(site->returns)));
	json_object_object_add(object, "reason", json_text(site->reason ? site->reason : ""));
	json_object_object_add(object, "exits", json_object_new_int64((int64_t)site->n_exits));
	json_object_object_add(object, "cost_ns", json_object_new_int64(site->cost_ns));
	describe_source(object, module, joinpoint->address);

	return object;
}

static struct json_object *describe_rejected(const struct rejected *rejected)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_text(rejected->name));
	json_object_object_add(object, "address", json_object_new_int64((int64_t)rejected->address));
	json_object_object_add(object, "reason", json_text(rejected->reason));

	return object;
}

static void print_json(const struct match *match)
{
	struct json_object *root = json_object_new_object(), *modules = json_object_new_array();

	for (size_t i = 0; i < match->n_modules; i++) {
		const struct module *module = &match->modules[i];
		struct json_object *object = json_object_new_object(),
				   *functions = json_object_new_array(),
				   *rejected = json_object_new_array();

		for (size_t j = 0; j < module->joinpoints.n_items; j++)
			json_object_array_add(functions,
					      describe_joinpoint(module, &module->joinpoints.items[j]));
		for (size_t j = 0; j < module->joinpoints.n_rejected; j++)
			json_object_array_add(rejected,
					      describe_rejected(&module->joinpoints.rejected[j]));
		json_object_object_add(object, "name", json_text(module->binary->name));
		json_object_object_add(object, "path", json_text(module->binary->path));
		json_object_object_add(object, "build_id", json_text(module->binary->build_id));
		json_object_object_add(object, "functions", functions);
		json_object_object_add(object, "rejected", rejected);
		json_object_array_add(modules, object);
	}
	json_object_object_add(root, "binaries", modules);
	report_json(root);
	json_object_put(root);
}

static int find_candidates(const struct match *match, struct strings *list)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	int r;

	r = candidates_new(match->aspect->pointcut, &candidates);
	for (size_t i = 0; r == 0 && i < match->paths.n_items; i++) {
		_cleanup_(symbols_done) struct symbols symbols = {0};
		_cleanup_(binary_freep) struct binary *binary = NULL;
		struct why ignored = {0};

		if (binary_open(match->paths.items[i], &binary, &ignored) == 0 &&
		    symbols_read(binary, &symbols, &ignored) == 0)
			r = candidates_consider(candidates, binary, &symbols);
	}

	return r < 0 ? r : candidates_list(candidates, list);
}

static int report_no_match(const struct match *match)
{
	_cleanup_(strings_done) struct strings list = {0};

	report("'%s' matches no function", match->options->pointcut);
	if (find_candidates(match, &list) == 0)
		report_candidates(&list);

	return EXIT_FAILURE;
}

static int match_run(const struct match_options *options)
{
	_cleanup_(match_done) struct match match = {.options = options};
	struct why why = {0};
	size_t column = 0;
	int r;

	r = aspect_parse(options->pointcut, &match.aspect, &column, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		report_column(options->pointcut, column);
		return EXIT_FAILURE;
	}
	if (!match.aspect->says_returns)
		match.aspect->returns = options->returns;
	r = find_paths(&match, &why);
	if (r == 0)
		r = find_joinpoints(&match, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}

	if (options->json)
		print_json(&match);
	else if (options->explain)
		print_explained(&match);
	if (match.n_joinpoints == 0 && match.n_rejected == 0)
		return report_no_match(&match);
	if (!options->json && !options->explain)
		print_table(&match);
	report("functions: %zu, binaries: %zu, rejected: %zu", match.n_joinpoints, match.n_modules, match.n_rejected);
	if (match.n_joinpoints == 0)
		return EXIT_FAILURE;

	return EXIT_SUCCESS;
}

/* Returns 0, 1 if help was printed, or -EINVAL. */
static int parse_arguments(struct match_options *options, int argc, char **argv)
{
	static const struct option list[] = {
		OPTION_LIST_HELP,
		OPTION_LIST_JSON,
		{"binary", required_argument, NULL, OPTION_BINARY},
		{"pid", required_argument, NULL, OPTION_PID},
		{"explain", no_argument, NULL, OPTION_EXPLAIN},
		{"returns", required_argument, NULL, OPTION_RETURNS},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, ":h", list, NULL)) >= 0) {
		switch (c) {
		case 'h':
			command_print_help(&command_match);
			return 1;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_BINARY:
			options->binary = optarg;
			break;
		case OPTION_EXPLAIN:
			options->explain = true;
			break;
		case OPTION_RETURNS:
			if (site_mode_parse(optarg, &options->returns) == 0)
				break;
			command_usage_error(&command_match, RETURNS_ERROR, optarg);
			return -EINVAL;
		case OPTION_PID:
			if (option_number(optarg, 1, INT_MAX, &options->pid) == 0)
				break;
			command_usage_error(&command_match, "'%s' is no pid", optarg);
			return -EINVAL;
		default:
			option_error(&command_match, c, argv);
			return -EINVAL;
		}
	}

	if (!options->pid == !options->binary)
		command_usage_error(&command_match, "one of --pid and --binary is needed");
	else if (optind + 1 != argc)
		command_usage_error(&command_match, "one pointcut is needed");
	else
		options->pointcut = argv[optind];

	return options->pointcut ? 0 : -EINVAL;
}

static int run_match(int argc, char **argv)
{
	struct match_options options = {0};
	int r;

	r = parse_arguments(&options, argc, argv);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;

	return match_run(&options);
}

const struct command command_match = {
	.name = "match",
	.usage = "match (--binary FILE | --pid PID) POINTCUT [--json]",
	.help = "show which functions a pointcut selects",
	.details = "  --binary FILE  a program or a library; of a program also the libraries that\n"
		   "                 it would load, where the pointcut names a module\n"
		   "  --pid PID      what this process is made of\n"
		   "  --explain      where each is probed, how its return is seen and why, what a call will\n"
		   "                 cost, and what cannot be probed\n"
		   "  --returns HOW  as for run: auto, sites, probes or never\n"
		   "  --json         for programs\n"
		   "\n"
		   "Needs no service and no rights beyond reading the files.\n",
	.run = run_match,
};
