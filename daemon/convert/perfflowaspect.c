/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The schema that PerfFlowAspect writes when nothing is asked of it: the array form, one event a
 * line with blanks behind ':' and ',', a B and an E a call; where memory was measured, the two
 * counters behind the E. Threads come one after another. The array is closed, which its own is not.
 *
 * Its own times are microseconds since 1970, whole ones. There calls that are shorter cannot be
 * told from what is around them, so that is done if asked for. Else times keep their nanoseconds,
 * and each one on a thread is as late as the one before it, and each end later than its begin.
 */
#include "convert/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "reader/names.h"

struct frame {
	int64_t start_ns; /* as it was written */
};

struct perfflowaspect {
	struct conversion conversion;
	struct nest *nest;
	struct names names;
	struct frame *stack;
	size_t depth;
	bool is_open; /* a file */
	uint32_t current_process, current_lane;
	int64_t last_ns; /* the time that was written last on the lane */
	uint64_t n_lines;
};

static int perfflowaspect_begin(struct conversion *conversion, struct why *why)
{
	(void)why;
	return nest_new(FORMAT_NEST_BYTES, &((struct perfflowaspect *)conversion)->nest);
}

static int add(struct perfflowaspect *pfa, struct nest_item *item, const char *name,
	       const char *category, struct why *why)
{
	int r;

	r = names_number(&pfa->names, name, &item->name);
	r = r ?: names_number(&pfa->names, category, &item->category);
	return r ?: nest_add(pfa->nest, item, why);
}

static int perfflowaspect_call(struct conversion *conversion, const struct call *call,
			       struct why *why)
{
	struct nest_item item = format_item(call);

	item.cpu_usage = format_cpu_usage(call->args);
	item.memory_kib = format_memory_kib(call->args);
	return add((struct perfflowaspect *)conversion, &item, call->name, call->category, why);
}

/* An id as a number, which it is in that schema. */
static uint64_t find_id(const struct trace_event *event)
{
	struct json_object *id = event->id, *local = json_member(id, "local", json_type_string);
	const char *text;
	uint64_t number;
	char *end;

	if (json_object_is_type(id, json_type_int))
		return json_object_get_uint64(id);
	text = local ? json_object_get_string(local) : id ? json_object_get_string(id) : "";
	errno = 0;
	number = strtoull(text, &end, 0);
	return errno == 0 && end > text && !*end ? number : hash_bytes(text, strlen(text)) >> 11;
}

/* PerfFlowAspect's own files have it, perfflow's traces have not. */
static const char *scope_of(const struct trace_event *event)
{
	const char *scope = json_member_text(event->json, "scope");

	return *scope ? scope : "NA";
}

static int perfflowaspect_event(struct conversion *conversion, const struct trace_event *event,
				struct why *why)
{
	struct perfflowaspect *pfa = (struct perfflowaspect *)conversion;
	struct nest_item item = {
		.start_ns = event->time_ns,
		.end_ns = event->time_ns,
		.number = event->number,
		.line = event->line,
		.is_point = true,
		.phase = event->phase,
		.id = find_id(event),
	};
	const struct lane *lane;
	int r;

	if (!event->phase || !strchr("bne", event->phase) || !(event->has & EVENT_TIME))
		return 0;
	lane = lanes_find(&conversion->lanes, event->pid, event->tid);
	if (!lane)
		return -ENOMEM;
	item.process = lane->process;
	item.lane = lane->number;
	r = names_number(&pfa->names, scope_of(event), &item.scope);
	r = r ?: add(pfa, &item, event->name, event->category, why);
	return r < 0 ? r : 1;
}

static int write_text(struct perfflowaspect *pfa, const char *text, struct why *why)
{
	struct text *line = &pfa->conversion.line;
	int r;

	line->size = 0;
	r = text_printf(line, "%s", text);
	return r ?: target_write(pfa->conversion.target, line, why);
}

static int end_file(struct perfflowaspect *pfa, struct why *why)
{
	int r;

	if (!pfa->is_open)
		return 0;
	pfa->is_open = false;
	r = write_text(pfa, "\n]\n", why);
	return r ?: target_end(pfa->conversion.target, why);
}

static int begin_file(struct perfflowaspect *pfa, const struct lane *lane, struct why *why)
{
	const char *host = facts_host(&pfa->conversion.facts);
	_cleanup_(text_done) struct text name = {0};
	int r;

	r = end_file(pfa, why);
	if (r == 0)
		r = text_printf(&name, "perfflow.array.%s%s%" PRId64 ".pfw", host, *host ? "." : "",
				lane->pid);
	r = r ?: target_begin(pfa->conversion.target, name.data, why);
	if (r < 0)
		return r;
	pfa->is_open = true;
	pfa->current_process = lane->process;
	pfa->n_lines = 0;
	return write_text(pfa, "[", why);
}

/* In a folder each process has its own file, elsewhere all are in one. */
static int find_place(struct perfflowaspect *pfa, const struct nest_item *item, struct why *why)
{
	const struct lane *lane = pfa->conversion.lanes.items[item->lane];
	int r = 0;

	if (!pfa->is_open ||
	    (target_is_folder(pfa->conversion.target) && item->process != pfa->current_process)) {
		r = begin_file(pfa, lane, why);
		pfa->last_ns = INT64_MIN;
	} else if (item->lane != pfa->current_lane) {
		pfa->last_ns = INT64_MIN;
	}
	pfa->current_lane = item->lane;
	return r;
}

static int append_time(struct perfflowaspect *pfa, int64_t time_ns)
{
	struct text *line = &pfa->conversion.line;
	int64_t ns;

	if (pfa->conversion.wall_clock && facts_unix_ns(&pfa->conversion.facts, time_ns, &ns))
		time_ns = ns;
	return format_append_us(line, time_ns);
}

/* Appends an event up to its phase; the rest follows. */
static int append_head(struct perfflowaspect *pfa, const struct nest_item *item, char phase,
		       int64_t time_ns)
{
	const struct lane *lane = pfa->conversion.lanes.items[item->lane];
	struct text *line = &pfa->conversion.line;
	int r;

	r = text_printf(line, "%s\n{\"name\": ", pfa->n_lines++ ? "," : "");
	r = r ?: format_append_string(line, names_text(&pfa->names, item->name));
	r = r ?: text_printf(line, ", \"cat\": ");
	r = r ?: format_append_string(line, names_text(&pfa->names, item->category));
	if (r == 0)
		r = text_printf(line,
				", \"pid\": %" PRId64 ", \"tid\": %" PRId64 ", \"ts\": ", lane->pid,
				lane->tid);
	r = r ?: append_time(pfa, time_ns);
	return r ?: text_printf(line, ", \"ph\": \"%c\"", phase);
}

static int append_counters(struct perfflowaspect *pfa, const struct nest_item *item,
			   int64_t start_ns, int64_t end_ns)
{
	struct text *line = &pfa->conversion.line;
	int r;

	r = append_head(pfa, item, 'C', start_ns);
	if (r == 0)
		r = text_printf(line,
				", \"args\": {\"cpu_usage\": %u.%02u, \"memory_usage\": %" PRIu64
				"}}",
				item->cpu_usage / 100, item->cpu_usage % 100, item->memory_kib);
	r = r ?: append_head(pfa, item, 'C', end_ns);
	return r ?: text_printf(line, ", \"args\": {\"cpu_usage\": 0.0, \"memory_usage\": 0}}");
}

static int enter(struct perfflowaspect *pfa, const struct nest_item *item)
{
	struct frame frame = {.start_ns = item->start_ns > pfa->last_ns ? item->start_ns
									: pfa->last_ns};
	int r;

	r = array_grow(&pfa->stack, pfa->depth, sizeof(*pfa->stack));
	if (r < 0)
		return r;
	pfa->stack[pfa->depth++] = frame;
	pfa->last_ns = frame.start_ns;
	r = append_head(pfa, item, 'B', frame.start_ns);
	return r ?: text_append(&pfa->conversion.line, "}", 1);
}

static int leave(struct perfflowaspect *pfa, const struct nest_item *item)
{
	int64_t start_ns = pfa->stack[--pfa->depth].start_ns;
	int64_t end_ns = item->end_ns > start_ns ? item->end_ns : start_ns + 1;
	int r;

	if (end_ns < pfa->last_ns)
		end_ns = pfa->last_ns;
	pfa->last_ns = end_ns;
	r = append_head(pfa, item, 'E', end_ns);
	r = r ?: text_append(&pfa->conversion.line, "}", 1);
	return r < 0 || !item->memory_kib ? r : append_counters(pfa, item, start_ns, end_ns);
}

static int append_async(struct perfflowaspect *pfa, const struct nest_item *item)
{
	struct text *line = &pfa->conversion.line;
	int r;

	r = append_head(pfa, item, item->phase, item->start_ns);
	r = r ?: text_printf(line, ", \"scope\": ");
	r = r ?: format_append_string(line, names_text(&pfa->names, item->scope));
	return r ?: text_printf(line, ", \"id\": %" PRIu64 "}", item->id);
}

static int take_step(struct perfflowaspect *pfa, const struct nest_step *step, struct why *why)
{
	int r;

	r = find_place(pfa, &step->item, why);
	if (r < 0)
		return r;
	pfa->conversion.line.size = 0;
	switch (step->what) {
	case NEST_ENTER:
		r = enter(pfa, &step->item);
		break;
	case NEST_LEAVE:
		r = leave(pfa, &step->item);
		break;
	case NEST_POINT:
		r = append_async(pfa, &step->item);
		break;
	}
	return r ?: target_write(pfa->conversion.target, &pfa->conversion.line, why);
}

static int perfflowaspect_finish(struct conversion *conversion, struct why *why)
{
	struct perfflowaspect *pfa = (struct perfflowaspect *)conversion;
	struct nest_step step;
	int r;

	while ((r = nest_next(pfa->nest, &step, why)) > 0) {
		r = take_step(pfa, &step, why);
		if (r < 0)
			return r;
	}
	if (r == 0 && !pfa->is_open && pfa->n_lines == 0)
		return why_say(
			why, -ENODATA,
			"there is no call in the trace, and PerfFlowAspect writes no file then");
	return r ?: end_file(pfa, why);
}

static void perfflowaspect_done(struct conversion *conversion)
{
	struct perfflowaspect *pfa = (struct perfflowaspect *)conversion;

	nest_free(pfa->nest);
	names_done(&pfa->names);
	free(pfa->stack);
}

const struct format format_perfflowaspect = {
	.name = "perfflowaspect",
	.has_wall_clock = true,
	.size = sizeof(struct perfflowaspect),
	.begin = perfflowaspect_begin,
	.call = perfflowaspect_call,
	.event = perfflowaspect_event,
	.finish = perfflowaspect_finish,
	.done = perfflowaspect_done,
};
