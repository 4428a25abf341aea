/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The rules that one event alone can break; their labels in docs/trace-format.md are in brackets.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "reader/check_internal.h"

#define MAX_ID INT32_MAX

/* What is wrong with its fields, or NULL. */
static const char *find_fault(const struct trace_event *event)
{
	bool is_known = event->phase && strchr("BEXiICbnestfMNODPSTpFRcvV()=", event->phase);

	if (!is_known)
		return "it has no phase that exists [E1]";
	if (!*event->name)
		return "it has no name [E1]";
	if (!(event->has & EVENT_PID) || event->pid < 0 || event->pid > MAX_ID)
		return "its pid is no integer from 0 to 2^31 - 1 [E2]";
	if (!(event->has & EVENT_TID) || event->tid < 0 || event->tid > MAX_ID)
		return "its tid is no integer from 0 to 2^31 - 1 [E2]";
	if (event->phase == 'M' && !(event->has & EVENT_TIME))
		return NULL;
	if (!(event->has & EVENT_TIME) || event->time_ns < 0)
		return "its ts is no number, or negative [T2]";
	if (strchr("bnestf", event->phase) && !event->id)
		return "it has no id [A1, L1]";
	if (event->phase != 'X' && event->phase != 'T')
		return NULL;
	if (!(event->has & EVENT_DURATION))
		return "it has no dur [N1]";
	if (event->duration_ns < 0 || event->time_ns > INT64_MAX - event->duration_ns)
		return "it ends before it begins [N1]";
	return NULL;
}

/* What stands between the events [F4, F6]. */
static int check_separators(struct check_run *run, const struct trace_event *event)
{
	unsigned int expected = event->number > 1;

	if (event->n_brackets)
		return check_fault(run, event->line,
				   "an array begins before it, inside of the array [F6]");
	if (event->n_commas == expected || event->is_behind_bad)
		return 0;
	return check_fault(run, event->line,
			   event->n_commas < expected ? "the comma before it is missing [F4]"
						      : "there is a comma too many before it [F4]");
}

/* The key of what has two ends: all that is the same at both. */
static uint64_t key_of(const struct trace_event *event)
{
	const char *id =
		event->id ? json_object_to_json_string_ext(event->id, JSON_C_TO_STRING_PLAIN) : "";
	bool is_local = json_object_is_type(event->id, json_type_object);
	/* the two ends of an arrow that is bound by its id may have different names */
	uint64_t parts[] = {
		hash_bytes(id, strlen(id)),
		event->is_bound ? 0 : hash_bytes(event->name, strlen(event->name)),
		event->is_bound ? 0 : hash_bytes(event->category, strlen(event->category)),
		is_local ? event->pid : 0,
	};

	return hash_bytes(parts, sizeof(parts));
}

static int add_end(struct sorter *sorter, const struct trace_event *event, bool is_end,
		   bool is_loose, struct why *why)
{
	struct check_end end = {
		.key = key_of(event),
		.time_ns = event->time_ns,
		.number = event->number,
		.line = event->line,
		.is_end = is_end,
		.is_loose = is_loose,
	};

	return sorter_add(sorter, &end, why);
}

/* Whether it was written because the process or the trace ended, and by no function. */
static bool is_forced_end(const struct trace_event *event)
{
	const char *end = json_member_text(event->args, "end");

	return strcmp(end, "process_exit") == 0 || strcmp(end, "unfinished") == 0 ||
	       strcmp(end, "continued") == 0;
}

/* Whether it began in an earlier piece of the trace. */
static bool is_resumed(const struct trace_event *event)
{
	return strcmp(json_member_text(event->args, "begin"), "continued") == 0;
}

static void count_call(struct check_counts *counts, const struct trace_event *event)
{
	const char *how = json_member_text(event->args, "end"), *name;

	counts->calls++;
	for (unsigned int end = 0; end < PF_N_ENDS; end++) {
		name = event_end_name(end);
		if (strcmp(name ? name : "", how) == 0)
			counts->ends[end]++;
	}
}

static bool begins_arrow(const struct trace_event *event)
{
	return event->phase == 's' || (event->phase == 'X' && event->flow_out);
}

void check_count(struct check_counts *counts, const struct trace_event *event)
{
	counts->events++;
	if (event_is_arrow(event)) {
		counts->arrows += begins_arrow(event);
		return;
	}
	switch (event->phase) {
	case 'X':
		count_call(counts, event);
		break;
	case 'b':
		counts->works++;
		counts->marks += !is_resumed(event);
		break;
	case 'e':
		counts->marks += !is_forced_end(event);
		break;
	case 'n':
		counts->marks++;
		break;
	case 'i': /* one of a whole process is none of a function */
		counts->marks += strcmp(json_member_text(event->json, "s"), "p") != 0;
		break;
	case 'C':
		counts->counters++;
		break;
	case 'T':
		counts->states++;
		break;
	}
}

/* What has two ends. */
static int take(struct check_run *run, const struct trace_event *event, struct why *why)
{
	if (event_is_arrow(event))
		return add_end(run->arrows.sorter, event, !begins_arrow(event), event->phase == 't',
			       why);
	if (event->phase == 'b' || event->phase == 'e')
		return add_end(run->works.sorter, event, event->phase == 'e', false, why);
	return 0;
}

/* There is one first event of ours, and one last one. */
static int check_place(struct check_run *run, const struct trace_event *event, struct why *why)
{
	bool is_start = event->phase == 'M' && strcmp(event->name, "perfflow_trace") == 0;
	bool is_summary = event->phase == 'M' && strcmp(event->name, "perfflow_summary") == 0;

	if (is_start && event->number > 1)
		return check_fault_of(run, event->number, event->line, why,
				      "a trace begins inside of the trace [F6]");
	if (is_summary && !run->summary_line)
		run->summary_line = event->line;
	else if (run->summary_line)
		return check_fault(run, event->line,
				   is_summary ? "there is a summary already, in line %" PRIu64
					      : "it stands behind the summary of line %" PRIu64,
				   run->summary_line);
	return 0;
}

/* A thread of which only names and states are there is somebody else's, who had a CPU. */
static int note_thread(struct check_run *run, const struct trace_event *event)
{
	bool is_its_own = event->phase != 'M' && event->phase != 'T';
	struct lane *lane, *process;

	if (!event->pid)
		return 0;
	lane = lanes_find(&run->lanes, event->pid, event->tid);
	if (!lane)
		return -ENOMEM;
	process = hash_find(&run->lanes.processes, event->pid);
	run->check->counts.threads += is_its_own && !lane->has_events;
	run->check->counts.processes += is_its_own && !process->process_has_events;
	lane->has_events |= is_its_own;
	process->process_has_events |= is_its_own;
	return 0;
}

int check_event(struct check_run *run, const struct trace_event *event, struct why *why)
{
	const char *fault = find_fault(event);
	int r;

	r = check_separators(run, event);
	if (r < 0)
		return r;
	if (fault) {
		r = check_fault_of(run, event->number, event->line, why, "%s", fault);
		return r < 0 ? r : 0;
	}
	r = check_place(run, event, why);
	if (r < 0)
		return r;
	r = note_thread(run, event);
	if (r < 0)
		return r;
	check_count(&run->check->counts, event);
	r = take(run, event, why);
	return r < 0 ? r : 1;
}
