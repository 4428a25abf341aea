/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Events come from the reader, calls are made of them, and each goes to the format's function for
 * it. What the format has no place for is counted, so that the user can be told. */
#include "convert/convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convert/format.h"
#include "reader/pairs.h"

static const struct format *const formats[] = {
	&format_hatchet, &format_dftracer, &format_perfflowaspect, &format_folded, &format_csv,
};

struct run {
	struct reader *reader; /* of the piece that is read */
	struct conversion *conversion; /* the format's own struct */
	struct calls calls;
	struct pairs pairs;
	struct convert_result *result;
};

const char *convert_format_name(size_t i)
{
	return i < ARRAY_SIZE(formats) ? formats[i]->name : NULL;
}

const char *convert_kind_name(enum convert_kind kind)
{
	static const char *const names[CONVERT_N_KINDS] = {
		[CONVERT_MARKS] = "marks",
		[CONVERT_ASYNC] = "asynchronous events",
		[CONVERT_COUNTERS] = "counters",
		[CONVERT_ARROWS] = "ends of arrows",
		[CONVERT_STATES] = "states of threads",
		[CONVERT_OTHERS] = "other events",
	};

	return names[kind];
}

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

static enum convert_kind kind_of(const struct trace_event *event)
{
	if (event_is_mark(event))
		return CONVERT_MARKS;
	if (event_is_arrow(event))
		return CONVERT_ARROWS;
	switch (event->phase) {
	case 'b':
	case 'n':
	case 'e':
		return CONVERT_ASYNC;
	case 'C':
		return CONVERT_COUNTERS;
	case 'T':
		return CONVERT_STATES;
	default:
		return CONVERT_OTHERS;
	}
}

/* Hands on the calls that are known whole. */
static int pop_calls(struct run *run, struct why *why)
{
	const struct format *format = run->conversion->format;
	struct call call;
	int r;

	while (calls_pop(&run->calls, &call)) {
		run->result->n_calls++;
		run->result->n_cut_off += run->calls.is_finishing;
		r = format->call(run->conversion, &call, why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* An event that is no call and no metadata. */
static int take_other(struct run *run, const struct trace_event *event, struct why *why)
{
	const struct format *format = run->conversion->format;
	struct call work;
	int r = 0;

	if (format->work && (event->phase == 'b' || event->phase == 'e')) {
		r = pairs_take(&run->pairs, &run->conversion->lanes, event, &work);
		return r > 0 ? format->work(run->conversion, &work, why) : r;
	}
	if (format->event)
		r = format->event(run->conversion, event, why);
	if (r == 0)
		run->result->n_left_out[kind_of(event)]++;
	return r < 0 ? r : 0;
}

/* What an earlier piece has told as well. */
static bool is_known(const struct run *run, const struct trace_event *event)
{
	return run->result->n_read > 0 && event->phase == 'i' &&
	       json_object_get_boolean(json_member(event->args, "again", json_type_boolean));
}

/* Whether a file behind the first one, which begins with this event, is a later piece of the same trace. */
static int check_follows(struct run *run, const struct trace_event *first, struct why *why)
{
	_cleanup_(facts_done) struct facts facts = {0};
	const struct facts *before = &run->conversion->facts;
	int r = facts_take(&facts, &run->conversion->lanes, first);

	if (r < 0)
		return r;
	if (facts_piece(&facts) > facts_piece(before) && facts_belong_together(&facts, before))
		return 0;
	return why_say(why, -EINVAL, "'%s' is no later piece of the trace that the file before it is of",
		       input_name(reader_input(run->reader)));
}

static int take_event(struct run *run, const struct trace_event *event, struct why *why)
{
	int r;

	if (run->result->n_read > 0 && event->number == 1) {
		r = check_follows(run, event, why);
		if (r < 0)
			return r;
	}
	if (is_known(run, event))
		return 0;

	r = facts_take(&run->conversion->facts, &run->conversion->lanes, event);
	if (r < 0 || event->phase == 'M')
		return r;
	r = calls_push(&run->calls, event);
	if (r == -ENOMSG || r == -ERANGE) {
		run->result->n_stray++;
		return 0;
	}
	if (r < 0)
		return r;
	if (strchr("XBE", event->phase) && event->phase && !event_is_arrow(event))
		return pop_calls(run, why);
	return take_other(run, event, why);
}

/* Asynchronous work without its end or begin. */
static void count_open_work(struct run *run)
{
	run->result->n_left_out[CONVERT_ASYNC] += run->pairs.n_open;
	run->result->n_stray += run->pairs.n_stray;
}

/* What is said of the end is about the first piece that is not whole, else about the last one. */
static void take_ending(struct run *run)
{
	const char *damage = input_damage(reader_input(run->reader));
	struct convert_result *result = run->result;

	if (result->n_read++ && (result->damage[0] || !result->ending.is_closed))
		return;
	result->ending = *reader_ending(run->reader);
	result->ending_of = result->n_read - 1;
	if (damage)
		snprintf(result->damage, sizeof(result->damage), "%s", damage);
}

static int read_piece(struct run *run, struct why *why)
{
	struct trace_event event;
	struct why inner = {0};
	int r;

	while ((r = reader_next(run->reader, &event, &inner)) > 0) {
		r = take_event(run, &event, why);
		if (r < 0)
			return r;
	}
	if (r == -EBADMSG)
		return why_say(why, r, "'%s', %s", input_name(reader_input(run->reader)), inner.text);
	if (r < 0)
		return why_say(why, r, "%s", why_text(&inner, r));
	take_ending(run);
	return 0;
}

/* The first one is open. */
static int read_pieces(struct run *run, const char *const *inputs, struct why *why)
{
	int r = read_piece(run, why);

	for (size_t i = 1; r == 0 && inputs[i]; i++) {
		reader_free(take_ptr(run->reader));
		r = reader_open(inputs[i], &run->reader, why);
		r = r ?: read_piece(run, why);
	}
	return r;
}

static int run_through(struct run *run, const char *const *inputs, struct why *why)
{
	const struct format *format = run->conversion->format;
	int r;

	r = format->begin(run->conversion, why);
	r = r < 0 ? r : read_pieces(run, inputs, why);
	if (r < 0)
		return r;

	calls_finish(&run->calls);
	r = pop_calls(run, why);
	r = r ?: format->finish(run->conversion, why);
	r = r ?: target_end(run->conversion->target, why);
	count_open_work(run);
	return r;
}

static void conversion_free(struct conversion *conversion)
{
	if (conversion->format->done)
		conversion->format->done(conversion);
	target_free(conversion->target);
	facts_done(&conversion->facts);
	lanes_done(&conversion->lanes);
	text_done(&conversion->line);
	free(conversion);
}
DEFINE_CLEANUP(struct conversion, conversion_free)

int convert(const struct convert_options *options, struct convert_result *ret_result,
	    struct why *why)
{
	const struct format *format = find_format(options->format);
	_cleanup_(conversion_freep) struct conversion *conversion = NULL;
	struct run run = {.result = ret_result};
	int r;

	*ret_result = (struct convert_result){0};
	if (!format)
		return why_say(why, -ENOENT, "there is no format '%s'", options->format);
	if (options->wall_clock && !format->has_wall_clock)
		return why_say(why, -EINVAL, "--wall-clock means nothing to '%s'", options->format);
	conversion = calloc(1, format->size);
	if (!conversion)
		return -ENOMEM;
	conversion->format = format;
	conversion->wall_clock = options->wall_clock;
	r = reader_open(options->inputs[0], &run.reader, why);
	r = r ?: target_new(options->output, options->inputs, &conversion->target, why);
	if (r < 0) {
		reader_free(run.reader);
		return r;
	}

	run.conversion = conversion;
	calls_init(&run.calls, &conversion->lanes);
	r = run_through(&run, options->inputs, why);
	reader_free(run.reader);
	calls_done(&run.calls);
	pairs_done(&run.pairs);
	return r;
}
