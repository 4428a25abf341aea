/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cmd_match.c - perfflow match: what a pointcut would select, without a daemon and without any
 * rights
 *
 * A program is looked into with the libraries that it would load, and with what the pointcut names wherever that is
 * found, as when it is traced. Libraries that cannot be read are passed over then too, and named; a file that was asked for is
 * not. What is no join point at all is looked for only where it is to be told: it may be much, and none of it is traced.
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
#include "binary/view.h"
#include "client.h"
#include "command.h"
#include "options.h"
#include "probe/calibrate.h"
#include "probe/candidates.h"
#include "probe/features.h"
#include "probe/joinpoint.h"
#include "probe/pointcut.h"
#include "probe/pointcut_atoms.h"
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
	struct pointcut_atoms atoms;
	size_t followed[PF_MAX_ATOMS];
	struct strings paths;
	struct strings missed;	/* libraries that the program needs and that are not found */
	struct strings skipped; /* sentences: files that cannot be read */
	struct module *modules;
	size_t n_modules;
	size_t n_joinpoints, n_rejected;
	bool is_library; /* what was asked for */
	bool tells_left_out;
	struct probe_costs costs; /* of this machine, */
	bool has_costs;		  /* if they could be measured */
};

static void forget_modules(struct match *match)
{
	for (size_t i = 0; i < match->n_modules; i++) {
		joinpoints_done(&match->modules[i].joinpoints);
		source_close(match->modules[i].source);
		binary_free(match->modules[i].binary);
	}
	free(match->modules);
	match->modules = NULL;
	match->n_modules = 0;
}

static void match_done(struct match *match)
{
	forget_modules(match);
	strings_done(&match->skipped);
	strings_done(&match->missed);
	strings_done(&match->paths);
	aspect_free(match->aspect);
}

/* A program with its libraries; any other file alone, and whoever may use it is not known. */
static int find_binary_paths(struct match *match, const struct view *view, struct why *why)
{
	_cleanup_(binary_freep) struct binary *binary = NULL;
	int r;

	r = binary_open(match->options->binary, &binary, why);
	if (r < 0)
		return r;
	if (binary->is_program)
		return loader_closure(&view->context, match->options->binary, &match->paths, why);
	match->is_library = true;
	return strings_add(&match->paths, match->options->binary);
}

static int find_paths(struct match *match, struct why *why)
{
	pid_t pid = (pid_t)match->options->pid;
	_cleanup_(strings_done) struct strings globs = {0};
	_cleanup_(view_done) struct view view = {0};
	int r;

	if (pid) {
		r = process_check(pid, why);
		if (r == 0)
			r = process_files(pid, &match->paths, why);
	}
	view_init(&view, pid ? pid : getpid());
	view.context.missed = &match->missed;
	if (!pid)
		r = find_binary_paths(match, &view, why);
	view.context.missed = NULL; /* of other programs of that name it does not matter */
	if (r == 0)
		r = pointcut_modules(match->aspect->pointcut, &globs);
	if (r < 0 || match->is_library)
		return r;
	return loader_find_named(&view.context, &globs, &match->paths);
}

/* Takes the binary if it has join points. */
static int look_into(struct match *match, struct binary **binary, struct why *why)
{
	_cleanup_(symbols_done) struct symbols symbols = {0};
	struct joinpoints joinpoints = {0};
	struct source *source = NULL;
	size_t matched = 0;
	const struct joinpoint_query query = {
		.aspects = (const struct aspect *const *)&match->aspect,
		.n_aspects = 1,
		.atoms = &match->atoms,
		.returns = match->options->returns,
		.tells_left_out = match->tells_left_out,
		.matched = &matched,
		.followed = match->followed,
	};
	int r;

	r = symbols_read(*binary, &symbols, why);
	if (r < 0)
		return r;
	r = joinpoints_find(*binary, &symbols, &query, &joinpoints, why);
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
	match->n_joinpoints += matched;
	match->n_rejected += joinpoints.n_rejected;
	match->modules[match->n_modules++] = (struct module){take_ptr(*binary), joinpoints, source};

	return 0;
}

/* A dynamic linker that no pattern names. */
static bool is_passed_over(const struct match *match, const struct binary *binary)
{
	return !match->is_library && loader_is_one(binary) && pointcut_wants_all_modules(match->aspect->pointcut);
}

static bool is_wanted(const struct match *match, const struct binary *binary)
{
	const struct pointcut *pointcut = match->aspect->pointcut;

	if (is_passed_over(match, binary))
		return false;
	return pointcut_wants_module(pointcut, binary_module_path(binary), binary->soname);
}

static int find_joinpoints(struct match *match, struct why *why)
{
	const char *distrust = match->is_library ? SITE_DISTRUST_LIBRARY : site_distrust(&match->paths);
	/* what our rights do not let us tell is taken to be there */
	const char *library_distrust = site_distrust_libraries(&match->paths, feature_probe(FEATURE_UPROBE_SESSION) != 0);

	for (size_t i = 0; i < match->paths.n_items; i++) {
		_cleanup_(binary_freep) struct binary *binary = NULL;
		bool was_asked_for = i == 0 && match->options->binary;
		struct why ignored = {0};
		int r;

		r = binary_open(match->paths.items[i], &binary, was_asked_for ? why : &ignored);
		if (r == 0)
			binary->distrust = distrust || binary->is_program ? distrust : library_distrust;
		if (r == 0 && match->options->explain && is_passed_over(match, binary))
			r = strings_printf(&match->skipped, "'%s' is left out: a dynamic linker is looked into only where a pattern names it",
					   match->paths.items[i]);
		if (r == 0 && is_wanted(match, binary))
			r = look_into(match, &binary, was_asked_for ? why : &ignored);
		if (r < 0 && r != -ENOMEM && !was_asked_for)
			r = strings_printf(&match->skipped, "'%s' is left out: %s", match->paths.items[i], why_text(&ignored, r));
		if (r < 0)
			return r;
	}
	return 0;
}

/* What was found is not much: it was nothing. */
static int find_left_out(struct match *match, struct why *why)
{
	forget_modules(match);
	strings_done(&match->skipped);
	match->n_rejected = 0;
	memset(match->followed, 0, sizeof(match->followed));
	match->tells_left_out = true;
	return find_joinpoints(match, why);
}

static void report_skipped(const struct match *match)
{
	for (size_t i = 0; i < match->missed.n_items; i++)
		report("'%s' is left out: it is needed, and not found or not to be read", match->missed.items[i]);
	for (size_t i = 0; i < match->skipped.n_items; i++)
		report("%s", match->skipped.items[i]);
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

static const char *seen_as(const struct joinpoint *joinpoint)
{
	if (joinpoint->aspect == JOINPOINT_OF_NONE)
		return "for cflow";
	return joinpoint->site.returns == SITE_ENTRY_ONLY ? "entries" : "calls";
}

static void print_row(int columns, const struct module *module, const struct joinpoint *joinpoint)
{
	_cleanup_(text_done) struct text name = {0};

	if (append_name(&name, module, joinpoint) < 0)
		return;
	printf("%-*s  0x%016" PRIx64 " 0x%-10" PRIx64 " %s\n", columns, name.data,
	       joinpoint->address, joinpoint->site.entry_offset, seen_as(joinpoint));
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

static unsigned int cost_of(const struct match *match, const struct site *site)
{
	return site_cost_ns(site, match->has_costs ? &match->costs : NULL);
}

static void explain_site(const struct match *match, const struct module *module, const struct joinpoint *joinpoint)
{
	_cleanup_(text_done) struct text annotation = {0};
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
	printf("    cost    about %.1f us a call\n", cost_of(match, site) / 1000.0);
	if (joinpoint->annotation && text_append_clean(&annotation, joinpoint->annotation) == 0)
		printf("    marked  %s\n", annotation.data);
}

static void explain_condition(const struct match *match, const struct joinpoint *joinpoint)
{
	_cleanup_(text_done) struct text condition = {0};

	if (joinpoint->aspect == JOINPOINT_OF_NONE)
		printf("    when    never: it is woven for a cflow() alone\n");
	else if (pointcut_condition_print(&joinpoint->condition, &match->atoms, &condition) == 0 && condition.size)
		printf("    when    %s\n", condition.data);
}

static void explain_module(const struct match *match, const struct module *module)
{
	for (size_t i = 0; i < module->joinpoints.n_items; i++) {
		const struct joinpoint *joinpoint = &module->joinpoints.items[i];
		_cleanup_(text_done) struct text name = {0};

		if (append_name(&name, module, joinpoint) < 0)
			continue;
		printf("%s\n", name.data);
		explain_site(match, module, joinpoint);
		explain_condition(match, joinpoint);
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
		explain_module(match, &match->modules[i]);
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

static struct json_object *describe_joinpoint(const struct match *match, const struct module *module,
					      const struct joinpoint *joinpoint)
{
	_cleanup_(text_done) struct text condition = {0};
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
	json_object_object_add(object, "cost_ns", json_object_new_int64(cost_of(match, site)));
	json_object_object_add(object, "recorded",
			       json_object_new_boolean(joinpoint->aspect != JOINPOINT_OF_NONE));
	if (pointcut_condition_print(&joinpoint->condition, &match->atoms, &condition) == 0)
		json_object_object_add(object, "when", json_text(condition.data ? condition.data : ""));
	if (joinpoint->annotation)
		json_object_object_add(object, "annotation", json_text(joinpoint->annotation));
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

static struct json_object *json_strings(const struct strings *strings)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < strings->n_items; i++)
		json_object_array_add(array, json_text(strings->items[i]));
	return array;
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
					      describe_joinpoint(match, module, &module->joinpoints.items[j]));
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
	json_object_object_add(root, "costs_measured", json_object_new_boolean(match->has_costs));
	json_object_object_add(root, "missed", json_strings(&match->missed));
	json_object_object_add(root, "skipped", json_strings(&match->skipped));
	report_json(root);
	json_object_put(root);
}

static int find_candidates(const struct match *match, const struct pointcut *pointcut, struct strings *list)
{
	_cleanup_(candidates_freep) struct candidates *candidates = NULL;
	int r;

	r = candidates_new(pointcut, &candidates);
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

static int report_no_match(const struct match *match, const struct pointcut *pointcut, const char *written)
{
	_cleanup_(strings_done) struct strings list = {0};

	if (pointcut_wants_python(pointcut)) {
		report("'%s' is about Python functions, which are known when they are called: 'perfflow run' shows them",
		       written);
		return EXIT_FAILURE;
	}
	report("'%s' matches no function", written);
	if (find_candidates(match, pointcut, &list) == 0)
		report_candidates(&list);

	return EXIT_FAILURE;
}

/* A cflow() that names no function holds never. */
static int report_no_cflow(const struct match *match)
{
	int status = EXIT_SUCCESS;

	for (size_t i = 0; i < match->atoms.n_items; i++) {
		const struct pointcut *inner = pointcut_atoms_cflow(&match->atoms, i);
		_cleanup_(text_done) struct text written = {0};

		if (inner && !match->followed[i] && text_printf(&written, "cflow(") == 0 &&
		    pointcut_print(inner, &written) == 0 && text_printf(&written, ")") == 0)
			status = report_no_match(match, inner, written.data);
	}

	return status;
}

/* Where nothing else was found. */
static void report_rejected(const struct match *match)
{
	for (size_t i = 0; i < match->n_modules; i++) {
		const struct module *module = &match->modules[i];

		for (size_t j = 0; j < module->joinpoints.n_rejected; j++)
			report("%s:%s: %s", module->binary->name, module->joinpoints.rejected[j].name,
			       module->joinpoints.rejected[j].reason);
	}
}

/* In a moment, or not at all: without rights, and where each probe is a perf event of its own. */
static void measure_costs(struct match *match)
{
	struct why ignored = {0};

	if (!match->options->explain || feature_probe(FEATURE_UPROBE_MULTI) <= 0)
		return;
	match->has_costs = calibrate(&match->costs, &ignored) == 0;
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
	r = pointcut_atoms_add(&match.atoms, match.aspect->pointcut, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}
	if (!match.aspect->says_returns)
		match.aspect->returns = options->returns;
	match.tells_left_out = options->explain;
	r = find_paths(&match, &why);
	if (r == 0)
		r = find_joinpoints(&match, &why);
	if (r == 0 && match.n_joinpoints == 0 && !match.tells_left_out)
		r = find_left_out(&match, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}

	report_skipped(&match);
	measure_costs(&match);
	if (options->json)
		print_json(&match);
	else if (options->explain)
		print_explained(&match);
	if (match.n_joinpoints == 0 && match.n_rejected == 0)
		return report_no_match(&match, match.aspect->pointcut, options->pointcut);
	if (!options->json && !options->explain)
		print_table(&match);
	if (options->explain && !options->json)
		report("%s", match.has_costs ? "the costs of probes were measured on this machine"
					     : "the costs are those of a typical virtual machine: measuring them here takes rights to trace");
	report("functions: %zu, binaries: %zu, rejected: %zu", match.n_joinpoints, match.n_modules, match.n_rejected);
	if (match.n_joinpoints == 0) {
		if (!options->explain && !options->json)
			report_rejected(&match);
		return EXIT_FAILURE;
	}

	return report_no_cflow(&match);
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
	.details = "  --binary FILE  a library; or a program with the libraries that it would load\n"
		   "  --pid PID      what this process is made of\n"
		   "  --explain      where each is probed, how its return is seen and why, what a call will\n"
		   "                 cost (measured here, given the rights to; else as in a typical\n"
		   "                 virtual machine), and what cannot be probed\n"
		   "  --returns HOW  as for run: auto, sites, probes or never\n"
		   "  --json         for programs\n"
		   "\n"
		   "Needs no service and no rights beyond reading the files.\n",
	.run = run_match,
};
