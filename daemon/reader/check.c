/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Reads the trace once. What an event shows by itself is looked at right away; what shows in order
 * of time, or where two belong together, goes into sorters, which put what is too much on disk. So
 * a trace may be as long as it likes, and be in any order.
 */
#include "reader/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reader/check_internal.h"

void check_done(struct check *check)
{
	for (size_t i = 0; i < check->n_kept; i++)
		free(check->faults[i].text);
	strings_done(&check->missing);
	strings_done(&check->notes);
	facts_done(&check->facts);
	sorter_free(check->marked);
	*check = (struct check){0};
}

static int note_fault(struct check *check, uint64_t line, const char *format, va_list arguments)
{
	struct check_fault fault = {.line = line};

	check->n_faults++;
	if (check->n_kept == CHECK_MAX_FAULTS)
		return 0;
	if (vasprintf(&fault.text, format, arguments) < 0)
		return -ENOMEM;
	check->faults[check->n_kept++] = fault;
	return 0;
}

int check_fault(struct check_run *run, uint64_t line, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = note_fault(run->check, line, format, arguments);
	va_end(arguments);
	return r;
}

int check_mark(struct check_run *run, uint64_t number, bool is_open, struct why *why)
{
	struct check_mark mark = {.number = number, .is_open = is_open};

	return sorter_add(run->check->marked, &mark, why);
}

int check_fault_of(struct check_run *run, uint64_t number, uint64_t line, struct why *why,
		   const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = note_fault(run->check, line, format, arguments);
	va_end(arguments);
	return r ?: check_mark(run, number, false, why);
}

static int compare_faults(const void *left, const void *right)
{
	const struct check_fault *a = left, *b = right;

	return a->line < b->line ? -1 : a->line > b->line;
}

static int compare_marks(const void *left, const void *right)
{
	const struct check_mark *a = left, *b = right;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->is_open < b->is_open ? -1 : a->is_open > b->is_open;
}

static int compare_ends(const void *left, const void *right)
{
	const struct check_end *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int twins_init(struct check_twins *twins, bool is_once)
{
	twins->is_once = is_once;
	return sorter_new(sizeof(struct check_end), compare_ends, CHECK_SORT_BYTES / 4,
			  &twins->sorter);
}

static int check_init(struct check_run *run, const char *path, struct why *why)
{
	int r;

	calls_init(&run->calls, &run->lanes);
	r = nest_new(CHECK_SORT_BYTES, &run->nest);
	r = r ?: twins_init(&run->works, false);
	r = r ?: twins_init(&run->arrows, true);
	if (r == 0)
		r = sorter_new(sizeof(struct check_mark), compare_marks, CHECK_SORT_BYTES / 16,
			       &run->check->marked);
	return r ?: reader_open(path, &run->reader, why);
}

static void run_done(struct check_run *run)
{
	calls_done(&run->calls);
	lanes_done(&run->lanes);
	nest_free(run->nest);
	sorter_free(run->works.sorter);
	sorter_free(run->arrows.sorter);
	reader_free(run->reader);
}

static void note_times(struct check *check, const struct trace_event *event)
{
	int64_t end_ns = event->time_ns;

	if (!(event->has & EVENT_TIME) || event->time_ns < 0)
		return;
	if (event->has & EVENT_DURATION && event->duration_ns > 0 &&
	    __builtin_add_overflow(event->time_ns, event->duration_ns, &end_ns))
		return;
	if (!check->has_times || event->time_ns < check->first_ns)
		check->first_ns = event->time_ns;
	if (!check->has_times || end_ns > check->last_ns)
		check->last_ns = end_ns;
	check->has_times = true;
}

/* Those that came whole are counted already. */
static int add_calls(struct check_run *run, bool is_whole, struct why *why)
{
	struct call call;
	struct nest_item item;
	int r = 0;

	while (r == 0 && calls_pop(&run->calls, &call)) {
		run->check->counts.calls += !is_whole;
		item = (struct nest_item){
			.start_ns = call.start_ns,
			.end_ns = call.end_ns,
			.number = call.number,
			.end_number = call.end || is_whole ? 0 : call.end_number,
			.line = call.line,
			.process = call.lane->process,
			.lane = call.lane->number,
		};
		r = nest_add(run->nest, &item, why);
	}
	return r;
}

/* A B and an E belong together by their order in the file, which has to be that of time. */
static bool is_in_order(struct check_run *run, const struct trace_event *event)
{
	struct lane *lane;

	if (event->phase != 'B' && event->phase != 'E')
		return true;
	lane = lanes_find(&run->lanes, event->pid, event->tid);
	if (!lane || event->time_ns < lane->last_ns)
		return !lane; /* no memory: whoever needs it next tells */
	lane->last_ns = event->time_ns;
	return true;
}

static int take_event(struct check_run *run, const struct trace_event *event, struct why *why)
{
	int r;

	run->check->last_number = event->number;
	r = facts_take(&run->check->facts, &run->lanes, event);
	r = r ?: check_event(run, event, why);
	if (r <= 0) /* not sound: it takes no part in what follows */
		return r;
	if (!is_in_order(run, event))
		return check_fault_of(run, event->number, event->line, why,
				      "it is earlier than the B or E before it on its thread [N2]");
	note_times(run->check, event);
	r = calls_push(&run->calls, event);
	if (r == -ENOMSG)
		return check_fault_of(run, event->number, event->line, why,
				      "it ends a call that has not begun");
	return r ?: add_calls(run, event->phase == 'X', why);
}

static int read_events(struct check_run *run, struct why *why)
{
	struct trace_event event;
	int r;

	for (;;) {
		struct why inner = {0};

		r = reader_next(run->reader, &event, &inner);
		if (r == 0)
			return 0;
		if (r == -EBADMSG) /* the sentence begins with the line */
			r = check_fault(run, strtoull(inner.text + strlen("line "), NULL, 10), "%s",
					strchr(inner.text, ',') + 2);
		else if (r < 0)
			return why_say(why, r, "%s", why_text(&inner, r));
		else
			r = take_event(run, &event, why);
		if (r < 0)
			return r;
	}
}

/* Calls of which only the begin is there. */
static int finish_calls(struct check_run *run, struct why *why)
{
	uint64_t before = run->check->counts.calls;
	char sentence[96];
	int r;

	calls_finish(&run->calls);
	r = add_calls(run, false, why);
	if (r < 0 || run->check->counts.calls == before)
		return r;
	snprintf(sentence, sizeof(sentence), "ends of calls: %" PRIu64,
		 run->check->counts.calls - before);
	return strings_add(&run->check->missing, sentence);
}

static void take_ending(struct check_run *run)
{
	const char *damage = input_damage(reader_input(run->reader));
	struct check *check = run->check;

	check->ending = *reader_ending(run->reader);
	if (damage)
		snprintf(check->damage, sizeof(check->damage), "%s", damage);
}

static int run_through(struct check_run *run, struct why *why)
{
	struct check *check = run->check;
	int r;

	r = read_events(run, why);
	if (r < 0)
		return r;
	take_ending(run);
	if (check->last_number == 0)
		return why_say(why, -EINVAL, "'%s' is no trace: %s",
			       input_name(reader_input(run->reader)),
			       check->damage[0] ? check->damage : "there is no event in it");
	r = finish_calls(run, why);
	r = r ?: check_order(run, why);
	r = r ?: check_ledger(run);
	if (r < 0)
		return r;
	qsort(check->faults, check->n_kept, sizeof(check->faults[0]), compare_faults);
	check->verdict = check->n_faults	  ? CHECK_BROKEN
			 : check->missing.n_items ? CHECK_INCOMPLETE
						  : CHECK_COMPLETE;
	return 0;
}

int check_trace(const char *path, struct check *ret_check, struct why *why)
{
	struct check_run run = {.check = ret_check};
	int r;

	*ret_check = (struct check){0};
	r = check_init(&run, path, why);
	r = r ?: run_through(&run, why);
	run_done(&run);
	return r;
}

const char *check_format_time(const struct check *check, int64_t time_ns, char buffer[96])
{
	bool is_boot = check->facts.has_clock;
	char date[40] = "";
	struct tm tm;
	int64_t ns;
	time_t s;

	if (facts_unix_ns(&check->facts, time_ns, &ns)) {
		s = ns / 1000000000;
		if (gmtime_r(&s, &tm))
			strftime(date, sizeof(date), "%F %T", &tm);
		if (!is_boot) {
			snprintf(buffer, 96, "%s.%06" PRId64 " UTC", date, ns % 1000000000 / 1000);
			return buffer;
		}
	}
	snprintf(buffer, 96, "%" PRId64 ".%09" PRId64 " s%s%s%s", time_ns / 1000000000,
		 time_ns % 1000000000, is_boot ? " after the boot (" : "", date,
		 is_boot ? " UTC)" : "");
	return buffer;
}
