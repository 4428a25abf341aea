/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What is missing. A trace says it in its summary; what it does not know is whether the file is
 * still as it was written: fewer calls than the summary counts are lines that were lost, more are
 * lines that nobody of us wrote.
 */
#include <inttypes.h>
#include <string.h>

#include "reader/check_internal.h"

#define MAX_NAMED 5 /* of processes without a name */

static const struct {
	const char *name, *sentence;
} losses[] = {
	{"ring_full", "records that found no room in their ring (calls, marks, names, states)"},
	{"too_deep", "calls nested too deep to be followed"},
	{"no_thread_state", "calls of threads for which the kernel had no memory"},
	{"no_process", "processes that found no room in the kernel side's table"},
	{"items", "calls and marks that lack their arguments, metrics or stack"},
	{"over_rate", "records beyond what the session was allowed in a second"},
	{"bad_records", "records that could not be understood"},
	{"missed_runs", "runs of the kernel side's programs that the kernel left out"},
	{"unfollowed", "asynchronous work that began when too much was open"},
	{"without_id", "asynchronous events whose id could not be read"},
	{"limited", "calls left out of functions that were sampled to keep the overhead budget"},
	{"pauses", "pauses of functions, to keep the overhead budget"},
	{"paused", "pauses of functions, to keep the overhead budget"},
	{"late_weaving", "functions that were in use before they were woven"},
	{"notes", "entries of this list, of pauses or late weaving, that found no room on their way into the trace"},
};

/* What is no loss: it is as it was asked for, or could not be otherwise. */
static const struct {
	const char *name, *sentence;
} notes_known[] = {
	{"short", "calls shorter than min=, left out as asked for"},
	{"sampled_out", "calls left out by sample=, as asked for"},
	{"out_of_order", "records that came late, and stand behind younger ones"},
	{"entered_before", "returns from calls that had begun before they were traced"},
};

#define MAX_DETAILS 20 /* functions and processes by which something is missing */

static int add_loss(struct strings *missing, const char *name, uint64_t n)
{
	if (n == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (strcmp(losses[i].name, name) == 0)
			return strings_printf(missing, "%s: %" PRIu64, losses[i].sentence, n);
	return strings_printf(missing, "records lost by '%s': %" PRIu64, name, n);
}

/* What the summary says was lost. */
static int take_losses(struct check *check)
{
	struct json_object *summary = check->facts.summary;
	struct json_object *lost = json_member(summary, "losses", json_type_object);
	struct json_object *async = json_member(summary, "async", json_type_object);
	struct json_object *warnings = json_member(summary, "warnings", json_type_array);
	int r = 0;

	if (lost) {
		json_object_object_foreach (lost, name, number)
			r = r ?: add_loss(&check->missing, name, json_object_get_int64(number));
	}
	if (r == 0)
		r = add_loss(&check->missing, "bad_records",
			     json_member_count(summary, "bad_records"));
	if (r == 0)
		r = add_loss(&check->missing, "missed_runs",
			     json_member_count(summary, "missed_runs"));
	r = r ?: add_loss(&check->missing, "limited", json_member_count(summary, "limited"));
	r = r ?: add_loss(&check->missing, "pauses", json_member_count(summary, "pauses"));
	r = r ?: add_loss(&check->missing, "unfollowed", json_member_count(async, "unfollowed"));
	r = r ?: add_loss(&check->missing, "without_id", json_member_count(async, "without_id"));
	for (size_t i = 0; r == 0 && warnings && i < json_object_array_length(warnings); i++)
		r = strings_printf(&check->missing, "as the trace warns: %s",
			json_object_get_string(json_object_array_get_idx(warnings, i)));
	return r;
}

/* What is as it was asked for, or could not be otherwise. */
static int take_notes(struct check *check)
{
	struct json_object *summary = check->facts.summary;
	struct json_object *ends = json_member(summary, "ends", json_type_object);
	struct json_object *async = json_member(summary, "async", json_type_object);
	const struct {
		struct json_object *object;
		const char *name, *sentence;
	} notes[] = {
		{ends, "session_stop", "calls open when the session stopped, shown to end there"},
		{async, "unfinished", "asynchronous work open at the end, shown to end there"},
		{async, "continued", "asynchronous work open at the end, which the next piece goes on with"},
		{async, "unbegun", "ends of asynchronous work without a begin, shown as marks"},
	};
	uint64_t n = facts_piece(&check->facts);
	int r = 0;

	if (n)
		r = strings_printf(&check->notes, "it is piece %" PRIu64 " of a trace", n);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(notes); i++) {
		n = json_member_count(notes[i].object, notes[i].name);
		if (n)
			r = strings_printf(&check->notes, "%s: %" PRIu64, notes[i].sentence, n);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(notes_known); i++) {
		n = json_member_count(summary, notes_known[i].name);
		if (n)
			r = strings_printf(&check->notes, "%s: %" PRIu64, notes_known[i].sentence, n);
	}
	return r;
}

static const char *note_sentence(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(notes_known); i++)
		if (strcmp(notes_known[i].name, reason) == 0)
			return notes_known[i].sentence;
	return NULL;
}

static const char *loss_sentence(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (strcmp(losses[i].name, reason) == 0)
			return losses[i].sentence;
	return reason;
}

/* Whose it was, and when. */
static int add_detail(struct check *check, const struct ledger_entry *entry)
{
	const char *note = note_sentence(entry->reason);
	_cleanup_(text_done) struct text text = {0};
	char begin[96], end[96];
	int r;

	r = text_printf(&text, "%s: %" PRIu64, note ? note : loss_sentence(entry->reason), entry->n);
	if (r >= 0 && *entry->function)
		r = text_printf(&text, ", of '%s' (%s)", entry->function, entry->module);
	else if (r >= 0 && *entry->module)
		r = text_printf(&text, ", in '%s'", entry->module);
	if (r >= 0 && entry->pid)
		r = text_printf(&text, ", process %" PRId64, entry->pid);
	if (r >= 0)
		r = text_printf(&text, ", from %s to %s", check_format_time(check, entry->begin_ns, begin),
				entry->open_ns || !entry->end_ns ? "the end" : check_format_time(check, entry->end_ns, end));
	if (r >= 0 && entry->pause_ns)
		r = text_printf(&text, ", together %.3f s", (double)entry->pause_ns / 1e9);
	return r < 0 ? r : strings_add(note ? &check->notes : &check->missing, text.data);
}

/* What the trace has said all along, which is there if its end is not. */
static int take_ledger(struct check *check)
{
	struct ledger *ledger = &check->facts.ledger;
	int r = 0;

	ledger_sort(ledger);
	for (size_t i = 0; r == 0 && i < ledger->n_items && i < MAX_DETAILS; i++)
		r = add_detail(check, &ledger->items[i]);
	if (r == 0 && ledger->n_items > MAX_DETAILS)
		r = strings_printf(&check->missing, "and %zu functions and processes more, by which something is missing",
			ledger->n_items - MAX_DETAILS);
	return r;
}

/* The ledger cannot know of more than there is. */
static int compare_ledger(struct check_run *run)
{
	struct json_object *summary = run->check->facts.summary;
	struct json_object *lost = json_member(summary, "losses", json_type_object);
	const struct ledger *ledger = &run->check->facts.ledger;
	uint64_t counted, written;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < PF_N_COUNTERS; i++) {
		const char *name = event_counter_name(i);

		counted = json_member_count(i < PF_N_LOSSES ? lost : summary, name);
		written = ledger_count(ledger, name);
		/* of pieces one may have counted what the next one tells of */
		if (written > counted && !facts_piece(&run->check->facts))
			r = check_fault(run, run->summary_line,
					"the summary counts %" PRIu64 " by '%s', the ledger %" PRIu64,
					counted, name, written);
	}
	return r;
}

static int compare_count(struct check_run *run, uint64_t there, uint64_t counted, const char *what)
{
	if (there < counted)
		return strings_printf(&run->check->missing,
			   "%s: %" PRIu64 " (counted: %" PRIu64 ", there: %" PRIu64 ")", what,
			   counted - there, counted, there);
	if (there > counted)
		return check_fault(run, run->summary_line,
				   "the summary counts %" PRIu64 " %s, %" PRIu64 " are there",
				   counted, what, there);
	return 0;
}

/* How calls ended is of interest if their number is right. */
static int compare_ends(struct check_run *run)
{
	struct check *check = run->check;
	struct json_object *ends = json_member(check->facts.summary, "ends", json_type_object);
	uint64_t counted;
	int r = 0;

	for (unsigned int end = 0; r == 0 && ends && end < PF_N_ENDS; end++) {
		const char *name = event_end_name(end) ? event_end_name(end) : "return";

		counted = json_member_count(ends, name);
		if (counted != check->counts.ends[end])
			r = check_fault(run, run->summary_line,
					"the summary counts %" PRIu64
					" calls that ended by '%s', %" PRIu64 " are there",
					counted, name, check->counts.ends[end]);
	}
	return r;
}

static int compare_summary(struct check_run *run)
{
	struct check *check = run->check;
	struct json_object *summary = check->facts.summary;
	struct json_object *complete = json_member(summary, "complete", json_type_boolean);
	size_t n_missing = check->missing.n_items;
	uint64_t n_calls = json_member_count(summary, "spans");
	bool has_marks = json_member(summary, "marks", json_type_int);
	int r;

	r = take_losses(check);
	r = r ?: compare_ledger(run);
	if (r == 0 && json_object_get_boolean(complete) && check->missing.n_items > n_missing)
		r = check_fault(run, run->summary_line,
				"the summary says that nothing is missing, and counts what is");
	else if (r == 0 && !json_object_get_boolean(complete) &&
		 check->missing.n_items == n_missing)
		r = strings_printf(&check->missing, "something: the summary says so, and not what");
	r = r ?: compare_count(run, check->counts.calls, n_calls, "calls");
	if (r == 0 && has_marks)
		r = compare_count(run, check->counts.marks, json_member_count(summary, "marks"),
				  "marks");
	if (r == 0 && check->counts.calls == n_calls)
		r = compare_ends(run);
	return r ?: take_notes(check);
}

static int find_nameless(struct check_run *run)
{
	_cleanup_(text_done) struct text list = {0};
	struct check *check = run->check;
	const struct lane *lane;
	size_t cursor = 0, n = 0;
	int r = 0;

	while (r == 0 && (lane = hash_next(&run->lanes.processes, &cursor, NULL))) {
		if (!lane->process_has_events || *facts_process_name(&check->facts, lane->pid))
			continue;
		if (n++ < MAX_NAMED)
			r = text_printf(&list, "%s%" PRId64, n > 1 ? ", " : "", lane->pid);
	}
	if (r < 0 || n == 0)
		return r;
	return strings_printf(&check->missing, "names of processes: %zu (%s%s)", n, list.data,
		   n > MAX_NAMED ? ", ..." : "");
}

static int add_unpaired(struct check *check, const char *what, const struct check_twins *twins)
{
	if (twins->n_unpaired == 0)
		return 0;
	return strings_printf(&check->missing, "%s: %" PRIu64 " (line %" PRIu64 " has the other one)", what,
		   twins->n_unpaired, twins->unpaired_line);
}

/* The end of the file. */
static int find_cut(struct check *check)
{
	const struct reader_ending *ending = &check->ending;
	char when[96] = "the beginning";
	int r = 0;

	if (check->has_times)
		check_format_time(check, check->last_ns, when);
	if (check->damage[0])
		r = strings_printf(&check->missing, "the end of the file: %s", check->damage);
	if (ending->is_closed || r < 0)
		return r;
	if (check->facts.summary)
		return strings_printf(&check->missing,
			   "the bracket that closes it: the file is cut off behind line %" PRIu64,
			   ending->line);
	return strings_printf(&check->missing,
		   "what came after %s, and calls that were open then: the file is cut off %s line "
		   "%" PRIu64,
		   when, ending->is_inside_event ? "inside of the event behind" : "behind",
		   ending->line);
}

int check_ledger(struct check_run *run)
{
	struct check *check = run->check;
	uint64_t line = check->ending.line;
	int r;

	r = find_cut(check);
	if (r == 0 && check->ending.is_closed && check->ending.n_commas)
		r = check_fault(run, line, "there is a comma behind the last event [F4]");
	r = r ?: add_unpaired(check, "ends of asynchronous work", &run->works);
	r = r ?: add_unpaired(check, "ends of arrows", &run->arrows);
	if (r == 0 && check->facts.is_ours)
		r = find_nameless(run);
	if (r == 0 && check->facts.is_ours && !check->facts.trace)
		r = strings_printf(&check->missing,
			"the first record: where, when and with what it was traced");
	if (r < 0)
		return r;
	if (check->facts.summary) {
		r = compare_summary(run);
		return r ?: take_ledger(check);
	}
	if (check->facts.is_ours) {
		r = strings_printf(&check->missing, "the summary: what was lost in the last second before its place is not known");
		return r ?: take_ledger(check);
	}
	return strings_printf(&check->missing,
		   "a summary: the trace is not perfflow's own, and does not tell what was lost");
}
