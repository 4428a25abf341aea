/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Hatchet's reader of PerfFlowAspect files: events that are no counter have ts and dur; one is the
 * child of the first later one that begins before and ends after it, strictly. Threads are nothing
 * to it, so each needs a file of its own. It looks up counters by their time alone.
 *
 * Strictly: a call that begins or ends with the one that it lies in is made to differ from it, by
 * as little as its doubles can hold: a nanosecond, or a microsecond in times since 1970.
 */
#include "convert/format.h"

#include <errno.h>
#include <inttypes.h>

#include "reader/names.h"

struct frame {
	int64_t start_ns;
	int64_t inner_end_ns; /* the latest end of calls that lie in it */
};

struct hatchet {
	struct conversion conversion;
	struct nest *nest;
	struct names names;
	struct frame *stack;
	size_t depth;
	bool is_empty, has_several_threads;
	uint32_t first_lane;
	int64_t current_lane; /* whose file is open, or -1 */
	uint64_t n_lines;     /* in that file */
};

static int hatchet_begin(struct conversion *conversion, struct why *why)
{
	struct hatchet *hatchet = (struct hatchet *)conversion;

	(void)why;
	hatchet->is_empty = true;
	hatchet->current_lane = -1;
	return nest_new(FORMAT_NEST_BYTES, &hatchet->nest);
}

static int hatchet_call(struct conversion *conversion, const struct call *call, struct why *why)
{
	struct hatchet *hatchet = (struct hatchet *)conversion;
	struct nest_item item = format_item(call);
	int r;

	if (hatchet->is_empty)
		hatchet->first_lane = item.lane;
	hatchet->is_empty = false;
	hatchet->has_several_threads |= item.lane != hatchet->first_lane;
	item.cpu_usage = format_cpu_usage(call->args);
	item.memory_kib = format_memory_kib(call->args);
	r = names_number(&hatchet->names, call->name, &item.name);
	r = r ?: names_number(&hatchet->names, call->category, &item.category);
	return r ?: nest_add(hatchet->nest, &item, why);
}

static int write_text(struct hatchet *hatchet, const char *text, struct why *why)
{
	struct text *line = &hatchet->conversion.line;
	int r;

	line->size = 0;
	r = text_printf(line, "%s", text);
	return r ?: target_write(hatchet->conversion.target, line, why);
}

static int end_file(struct hatchet *hatchet, struct why *why)
{
	int r;

	if (hatchet->current_lane < 0)
		return 0;
	r = write_text(hatchet, "\n]\n", why);
	return r ?: target_end(hatchet->conversion.target, why);
}

static int begin_file(struct hatchet *hatchet, uint32_t lane_number, struct why *why)
{
	const struct lane *lane = hatchet->conversion.lanes.items[lane_number];
	const char *host = facts_host(&hatchet->conversion.facts);
	_cleanup_(text_done) struct text name = {0};
	int r;

	r = end_file(hatchet, why);
	if (r == 0)
		r = text_printf(&name, "perfflow.%s%s%" PRId64 ".%" PRId64 ".pfw", host,
				*host ? "." : "", lane->pid, lane->tid);
	r = r ?: target_begin(hatchet->conversion.target, name.data, why);
	if (r < 0)
		return r;
	hatchet->current_lane = lane_number;
	hatchet->n_lines = 0;
	return write_text(hatchet, "[", why);
}

/* Appends an event up to its time; the rest follows. */
static int append_head(struct hatchet *hatchet, const struct nest_item *item, char phase,
		       int64_t time_ns)
{
	const struct lane *lane = hatchet->conversion.lanes.items[item->lane];
	struct text *line = &hatchet->conversion.line;
	int r;

	r = text_printf(line, "%s\n{\"name\":", hatchet->n_lines++ ? "," : "");
	r = r ?: format_append_string(line, names_text(&hatchet->names, item->name));
	r = r ?: text_printf(line, ",\"cat\":");
	r = r ?: format_append_string(line, names_text(&hatchet->names, item->category));
	if (r == 0)
		r = text_printf(line,
				",\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRId64 ",\"ts\":",
				phase, lane->pid, lane->tid);
	return r ?: format_append_us(line, time_ns);
}

/* The counter is for the option with which Hatchet reads them. */
static int write_call(struct hatchet *hatchet, const struct nest_item *item, int64_t start_ns,
		      int64_t end_ns, struct why *why)
{
	struct text *line = &hatchet->conversion.line;
	int r;

	line->size = 0;
	r = append_head(hatchet, item, 'C', start_ns);
	if (r == 0)
		r = text_printf(line,
				",\"args\":{\"cpu_usage\":%u.%02u,\"memory_usage\":%" PRIu64 "}}",
				item->cpu_usage / 100, item->cpu_usage % 100, item->memory_kib);
	r = r ?: append_head(hatchet, item, 'X', start_ns);
	r = r ?: text_printf(line, ",\"dur\":");
	r = r ?: format_append_us(line, end_ns - start_ns);
	r = r ?: text_printf(line, "}");
	return r ?: target_write(hatchet->conversion.target, line, why);
}

static int64_t least_difference(int64_t time_ns)
{
	return time_ns < FORMAT_EXACT_NS ? 1 : 1000;
}

static int enter(struct hatchet *hatchet, const struct nest_item *item, struct why *why)
{
	const struct frame *outer;
	int64_t start_ns = item->start_ns;
	int r = 0;

	if (hatchet->current_lane != item->lane)
		r = begin_file(hatchet, item->lane, why);
	r = r ?: array_grow(&hatchet->stack, hatchet->depth, sizeof(*hatchet->stack));
	if (r < 0)
		return r;
	outer = hatchet->depth ? &hatchet->stack[hatchet->depth - 1] : NULL;
	if (outer && start_ns < outer->start_ns + least_difference(start_ns))
		start_ns = outer->start_ns + least_difference(start_ns);
	hatchet->stack[hatchet->depth++] =
		(struct frame){.start_ns = start_ns, .inner_end_ns = INT64_MIN};
	return 0;
}

static int leave(struct hatchet *hatchet, const struct nest_item *item, struct why *why)
{
	struct frame *frame = &hatchet->stack[--hatchet->depth];
	struct frame *outer = hatchet->depth ? frame - 1 : NULL;
	int64_t end_ns = item->end_ns > frame->start_ns ? item->end_ns : frame->start_ns;

	if (frame->inner_end_ns != INT64_MIN &&
	    end_ns < frame->inner_end_ns + least_difference(end_ns))
		end_ns = frame->inner_end_ns + least_difference(end_ns);
	if (outer && outer->inner_end_ns < end_ns)
		outer->inner_end_ns = end_ns;
	return write_call(hatchet, item, frame->start_ns, end_ns, why);
}

static int hatchet_finish(struct conversion *conversion, struct why *why)
{
	struct hatchet *hatchet = (struct hatchet *)conversion;
	struct nest_step step;
	int r;

	if (hatchet->is_empty)
		return why_say(why, -ENODATA,
			       "there is no call in the trace, and Hatchet reads nothing else");
	if (hatchet->has_several_threads && !target_is_folder(conversion->target))
		return why_say(why, -E2BIG,
			       "the trace has several threads, which Hatchet takes for one: with "
			       "-o FOLDER/ "
			       "each gets a file of its own");
	while ((r = nest_next(hatchet->nest, &step, why)) > 0) {
		r = step.what == NEST_ENTER ? enter(hatchet, &step.item, why)
					    : leave(hatchet, &step.item, why);
		if (r < 0)
			return r;
	}
	return r ?: end_file(hatchet, why);
}

static void hatchet_done(struct conversion *conversion)
{
	struct hatchet *hatchet = (struct hatchet *)conversion;

	nest_free(hatchet->nest);
	names_done(&hatchet->names);
	free(hatchet->stack);
}

const struct format format_hatchet = {
	.name = "hatchet",
	.size = sizeof(struct hatchet),
	.begin = hatchet_begin,
	.call = hatchet_call,
	.finish = hatchet_finish,
	.done = hatchet_done,
};
