/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* cmd_check.c - perfflow check: is a trace sound, and is it all there? */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "convert/repair.h"
#include "options.h"
#include "reader/check_pieces.h"
#include "report.h"

#define SHOWN_FAULTS 20
#define EXIT_BROKEN  2 /* also what is no trace, or cannot be read */

enum { OPTION_REPAIR = 512 };

struct check_options {
	char **traces; /* ends with NULL; several are the pieces of one */
	size_t n_traces;
	const char *repaired; /* the file to write, or NULL */
	bool json;
};

static const char *const verdict_names[] = {
	[CHECK_COMPLETE] = "complete",
	[CHECK_INCOMPLETE] = "incomplete",
	[CHECK_BROKEN] = "broken",
};

/* Prints a sentence with what may come from the trace made fit for a terminal. */
static void print_sentence(const char *before, const char *sentence)
{
	_cleanup_(text_done) struct text clean = {0};

	if (text_append_clean(&clean, sentence) == 0)
		printf("  %s%s\n", before, clean.data);
}

static void print_counts(const struct check *check)
{
	const struct check_counts *counts = &check->counts;
	const char *host = facts_host(&check->facts);
	_cleanup_(text_done) struct text line = {0};
	char first[96], last[96];

	text_printf(&line, "calls: %" PRIu64 ", marks: %" PRIu64 ", asynchronous work: %" PRIu64,
		    counts->calls, counts->marks, counts->works);
	text_printf(&line, ", processes: %" PRIu64 "%s%s", counts->processes,
		    *host ? ", host: " : "", host);
	if (line.data)
		print_sentence("", line.data);
	if (check->has_times)
		printf("  from %s\n    to %s\n", check_format_time(check, check->first_ns, first),
		       check_format_time(check, check->last_ns, last));
}

static void print_check(const char *trace, const struct check *check)
{
	printf("%s: %s\n", trace, verdict_names[check->verdict]);
	print_counts(check);
	for (size_t i = 0; i < check->n_kept && i < SHOWN_FAULTS; i++) {
		char before[48];

		snprintf(before, sizeof(before), "line %" PRIu64 ": ", check->faults[i].line);
		print_sentence(before, check->faults[i].text);
	}
	if (check->n_faults > SHOWN_FAULTS)
		printf("  and %zu faults more\n", check->n_faults - SHOWN_FAULTS);
	for (size_t i = 0; i < check->missing.n_items; i++)
		print_sentence("missing: ", check->missing.items[i]);
	for (size_t i = 0; i < check->notes.n_items; i++)
		print_sentence("note: ", check->notes.items[i]);
}

static struct json_object *describe_counts(const struct check_counts *counts)
{
	struct json_object *object = json_object_new_object();
	const struct {
		const char *name;
		uint64_t count;
	} members[] = {
		{"events", counts->events},   {"spans", counts->calls},
		{"marks", counts->marks},     {"async", counts->works},
		{"arrows", counts->arrows},   {"counters", counts->counters},
		{"states", counts->states},   {"processes", counts->processes},
		{"threads", counts->threads},
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_object_object_add(object, members[i].name,
				       json_object_new_uint64(members[i].count));
	return object;
}

static struct json_object *describe_strings(const struct strings *strings)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < strings->n_items; i++)
		json_object_array_add(array, json_object_new_string(strings->items[i]));
	return array;
}

static struct json_object *describe_faults(const struct check *check)
{
	struct json_object *array = json_object_new_array(), *fault;

	for (size_t i = 0; i < check->n_kept; i++) {
		fault = json_object_new_object();
		json_object_object_add(fault, "line",
				       json_object_new_uint64(check->faults[i].line));
		json_object_object_add(fault, "text",
				       json_object_new_string(check->faults[i].text));
		json_object_array_add(array, fault);
	}
	return array;
}

static struct json_object *describe_ledger(const struct ledger *ledger)
{
	struct json_object *array = json_object_new_array(), *object;

	for (size_t i = 0; i < ledger->n_items; i++) {
		const struct ledger_entry *entry = &ledger->items[i];

		object = json_object_new_object();
		json_object_object_add(object, "reason", json_object_new_string(entry->reason));
		json_object_object_add(object, "function", json_object_new_string(entry->function));
		json_object_object_add(object, "module", json_object_new_string(entry->module));
		json_object_object_add(object, "pid", json_object_new_int64(entry->pid));
		json_object_object_add(object, "n", json_object_new_uint64(entry->n));
		json_object_object_add(object, "begin_ns", json_object_new_int64(entry->begin_ns));
		json_object_object_add(object, "end_ns", json_object_new_int64(entry->open_ns ? 0 : entry->end_ns));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *describe(const char *trace, const struct check *check)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "trace", json_object_new_string(trace));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdict_names[check->verdict]));
	json_object_object_add(object, "closed", json_object_new_boolean(check->ending.is_closed));
	json_object_object_add(object, "last_line", json_object_new_uint64(check->ending.line));
	if (check->has_times) {
		json_object_object_add(object, "first_ns", json_object_new_int64(check->first_ns));
		json_object_object_add(object, "last_ns", json_object_new_int64(check->last_ns));
	}
	json_object_object_add(object, "counts", describe_counts(&check->counts));
	json_object_object_add(object, "missing", describe_strings(&check->missing));
	json_object_object_add(object, "ledger", describe_ledger(&check->facts.ledger));
	json_object_object_add(object, "n_faults", json_object_new_uint64(check->n_faults));
	json_object_object_add(object, "faults", describe_faults(check));
	json_object_object_add(object, "notes", describe_strings(&check->notes));
	return object;
}

static void print_json(struct json_object *object)
{
	report_json(object);
	json_object_put(object);
}

static int repair(const struct check_options *options, struct check *check)
{
	struct repair_result result;
	struct why why = {0};
	int r;

	r = repair_trace(options->traces[0], check, options->repaired, &result, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_BROKEN;
	}
	report("repaired in '%s': events left out: %" PRIu64 ", ended with the trace: %" PRIu64,
	       options->repaired, result.n_left_out, result.n_ended);
	return check->verdict;
}

static int check_one(const struct check_options *options)
{
	_cleanup_(check_done) struct check check = {0};
	struct why why = {0};
	int r;

	r = check_trace(options->traces[0], &check, &why);
	if (r < 0) {
		report("%s", why_text(&why, r));
		return EXIT_BROKEN;
	}
	if (options->json)
		print_json(describe(options->traces[0], &check));
	else
		print_check(options->traces[0], &check);
	return options->repaired ? repair(options, &check) : (int)check.verdict;
}

static void print_pieces(const struct check_pieces *pieces)
{
	printf("all %zu together: %s\n", pieces->n, verdict_names[pieces->verdict]);
	for (size_t i = 0; i < pieces->faults.n_items; i++)
		print_sentence("", pieces->faults.items[i]);
	for (size_t i = 0; i < pieces->missing.n_items; i++)
		print_sentence("missing: ", pieces->missing.items[i]);
}

static void print_pieces_json(const struct check_pieces *pieces, struct json_object *list)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "verdict", json_object_new_string(verdict_names[pieces->verdict]));
	json_object_object_add(object, "missing", describe_strings(&pieces->missing));
	json_object_object_add(object, "faults", describe_strings(&pieces->faults));
	json_object_object_add(object, "pieces", list);
	print_json(object);
}

/* One after another; list: what is told of each, for programs, or NULL. */
static int check_each(const struct check_options *options, struct check_pieces *pieces, struct json_object *list,
		      struct why *why)
{
	struct check checks[2] = {0}; /* this one, and the one before */
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->n_traces; i++) {
		struct check *check = &checks[i % 2];

		check_done(check);
		r = check_trace(options->traces[i], check, why);
		if (r == 0 && list)
			json_object_array_add(list, describe(options->traces[i], check));
		else if (r == 0)
			print_check(options->traces[i], check);
		r = r ?: check_pieces_add(pieces, options->traces[i], check);
	}
	r = r ?: check_pieces_finish(pieces);
	check_done(&checks[0]);
	check_done(&checks[1]);
	return r;
}

static int check_several(const struct check_options *options)
{
	struct json_object *list = options->json ? json_object_new_array() : NULL;
	_cleanup_(check_pieces_done) struct check_pieces pieces = {0};
	struct why why = {0};
	int r;

	r = check_each(options, &pieces, list, &why);
	if (r < 0) {
		json_object_put(list);
		report("%s", why_text(&why, r));
		return EXIT_BROKEN;
	}
	if (list)
		print_pieces_json(&pieces, list);
	else
		print_pieces(&pieces);
	return (int)pieces.verdict;
}

static bool has_stdin(const struct check_options *options)
{
	for (size_t i = 0; i < options->n_traces; i++)
		if (strcmp(options->traces[i], "-") == 0)
			return true;
	return false;
}

static int check_arguments(const struct check_options *options)
{
	if (options->n_traces == 0)
		command_usage_error(&command_check, "one trace is needed, or the pieces of one");
	else if (options->repaired && options->n_traces > 1)
		command_usage_error(&command_check, "--repair takes one trace: repair each piece for itself");
	else if (options->repaired && (has_stdin(options) || strcmp(options->repaired, "-") == 0))
		command_usage_error(
			&command_check,
			"--repair reads the trace twice, and writes a file: '-' cannot be either");
	else if (options->n_traces > 1 && has_stdin(options))
		command_usage_error(&command_check, "'-' cannot be one of several pieces");
	else
		return 0;
	return -EINVAL;
}

/* Returns 0, 1 if help was printed, or -EINVAL. */
static int parse_arguments(struct check_options *options, int argc, char **argv)
{
	static const struct option list[] = {
		OPTION_LIST_HELP,
		OPTION_LIST_JSON,
		{"repair", required_argument, NULL, OPTION_REPAIR},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, ":h", list, NULL)) >= 0) {
		switch (c) {
		case 'h':
			command_print_help(&command_check);
			return 1;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_REPAIR:
			options->repaired = optarg;
			break;
		default:
			option_error(&command_check, c, argv);
			return -EINVAL;
		}
	}
	options->traces = argv + optind;
	options->n_traces = (size_t)(argc - optind);
	return check_arguments(options);
}

static int run_check(int argc, char **argv)
{
	struct check_options options = {0};
	int r;

	r = parse_arguments(&options, argc, argv);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	return options.n_traces == 1 ? check_one(&options) : check_several(&options);
}

const struct command command_check = {
	.name = "check",
	.usage = "check TRACE... [--json] [--repair FILE]",
	.help = "tell whether a trace is sound and complete",
	.details = "  --json         print the verdict, what is there and what is missing, for "
		   "programs\n"
		   "  --repair FILE  write what is sound to a new file, whole and closed\n"
		   "\n"
		   "The exit status is 0 if the trace is complete, 1 if something is missing and "
		   "what is\n"
		   "there is sound, 2 if it is broken or no trace. TRACE may be compressed; - is "
		   "standard input.\n"
		   "It is never written to. Several are the pieces that --rotate made of one, in "
		   "their order.\n",
	.run = run_check,
};
