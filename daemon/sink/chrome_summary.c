/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The first record says under what conditions the trace was taken, the last one what it lacks. */
#include <inttypes.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/output.h"

static int append_clock(struct text *text, const struct clock_snapshot *clock)
{
	int r = args_key(text, "clock");

	/* strings: a number past 2^53 loses its end in a browser */
	return r ?: text_printf(text,
				"{\"boot_ns\":\"%" PRIu64 "\",\"real_ns\":\"%" PRIu64
				"\",\"width_ns\":\"%" PRIu64 "\"}",
				clock->boot_ns, clock->real_ns, clock->width_ns);
}

/* By the beginning of the whole and the number readers know what belongs together. */
static int append_piece(struct text *text, const struct chrome *chrome)
{
	int r;

	if (!chrome->piece)
		return 0;
	r = args_key(text, "piece");
	return r ?: text_printf(text, "{\"number\":%u,\"began_ns\":\"%" PRIu64 "\"}",
				chrome->piece, chrome->began_ns);
}

int chrome_write_head(struct chrome *chrome, const struct clock_snapshot *clock)
{
	struct text *line = &chrome->line;
	int r;

	r = chrome_begin_own(chrome, "perfflow_trace", clock->boot_ns);
	r = r ?: text_append(line, chrome->head.data, chrome->head.size);
	r = r ?: append_clock(line, clock);
	r = r ?: append_piece(line, chrome);
	if (r < 0)
		return r;

	line->data[0] = '['; /* instead of the comma that stands before every other event */
	return chrome_end_args(chrome);
}

int chrome_write_start(struct chrome *chrome, const struct sink_start *start)
{
	struct text *head = &chrome->head;
	size_t n_aspects = 0;
	int r;

	while (start->aspects && start->aspects[n_aspects])
		n_aspects++;
	chrome->began_ns = start->clock.boot_ns;
	r = args_string(head, "version", start->version);
	r = r ?: args_string(head, "host", start->host);
	r = r ?: args_string(head, "boot_id", start->boot_id);
	r = r ?: args_strings(head, "aspects", start->aspects, n_aspects);
	return r ?: chrome_write_head(chrome, &start->clock);
}

static bool is_complete(const struct chrome *chrome, const struct sink_summary *summary)
{
	uint64_t n = summary->n_bad_records | summary->n_missed_runs | summary->n_limited |
		     chrome->n_pauses | chrome->n_alone.unfollowed | chrome->n_alone.without_id;

	for (unsigned int i = 0; i < PF_N_LOSSES; i++)
		n |= summary->losses[i];
	return n == 0 && (!summary->warnings || summary->warnings->n_items == 0);
}

/* Begins a member that is an object, of numbers that follow. */
static int append_object(struct text *line, const char *key)
{
	int r = args_key(line, key);

	return r ?: text_append(line, "{", 1);
}

static int append_losses(struct text *line, const struct sink_summary *summary)
{
	int r = append_object(line, "losses");

	for (unsigned int i = 0; r == 0 && i < PF_N_LOSSES; i++)
		r = args_unsigned(line, event_loss_name(i), summary->losses[i]);
	return r ?: text_append(line, "}", 1);
}

static int append_ends(struct text *line, const struct sink_summary *summary)
{
	int r = append_object(line, "ends");

	for (unsigned int i = 0; r == 0 && i < PF_N_ENDS; i++)
		r = args_unsigned(line, event_end_name(i) ?: "return", summary->n_ends[i]);
	return r ?: text_append(line, "}", 1);
}

static int append_asyncs(struct text *line, const struct chrome *chrome)
{
	int r = append_object(line, "async");

	r = r ?: args_unsigned(line, "unfinished", chrome->n_unfinished);
	if (r == 0 && chrome->piece)
		r = args_unsigned(line, "continued", chrome->n_continued);
	r = r ?: args_unsigned(line, "unbegun", chrome->n_alone.unbegun);
	r = r ?: args_unsigned(line, "unfollowed", chrome->n_alone.unfollowed);
	r = r ?: args_unsigned(line, "without_id", chrome->n_alone.without_id);
	return r ?: text_append(line, "}", 1);
}

static int append_warnings(struct text *line, const struct chrome *chrome,
			   const struct sink_summary *summary)
{
	const struct strings *warnings = summary->warnings;
	_cleanup_(strings_done) struct strings all = {};
	char sentence[160];
	int r = 0;

	for (size_t i = 0; r == 0 && warnings && i < warnings->n_items; i++)
		r = strings_add(&all, warnings->items[i]);
	if (chrome->n_alone.unfollowed) {
		snprintf(sentence, sizeof(sentence),
			 "%" PRIu64 " async events began while %d others were open: they are shown "
			 "as moments",
			 chrome->n_alone.unfollowed, CHROME_MAX_ASYNCS);
		r = r ?: strings_add(&all, sentence);
	}
	return r ?: args_strings(line, "warnings", (const char *const *)all.items, all.n_items);
}

int chrome_write_summary(struct chrome *chrome, const struct sink_summary *summary)
{
	struct text *line = &chrome->line;
	int r;

	r = chrome_begin_own(chrome, "perfflow_summary", summary->time_ns);
	r = r ?: args_string(line, "reason", summary->reason);
	r = r ?: args_unsigned(line, "spans", summary->n_spans);
	r = r ?: args_unsigned(line, "marks", summary->n_marks);
	r = r ?: args_unsigned(line, "processes", summary->n_processes);
	r = r ?: append_losses(line, summary);
	r = r ?: args_unsigned(line, "bad_records", summary->n_bad_records);
	r = r ?: args_unsigned(line, "missed_runs", summary->n_missed_runs);
	r = r ?: args_unsigned(line, "out_of_order", summary->n_out_of_order);
	r = r ?: append_ends(line, summary);
	r = r ?: append_asyncs(line, chrome);
	r = r ?: args_unsigned(line, "short", summary->n_short);
	r = r ?: args_unsigned(line, "sampled_out", summary->n_sampled_out);
	r = r ?: args_unsigned(line, "entered_before", summary->n_entered_before);
	r = r ?: args_unsigned(line, "limited", summary->n_limited);
	r = r ?: args_unsigned(line, "pauses", chrome->n_pauses);
	r = r ?: append_warnings(line, chrome, summary);
	r = r ?: args_bool(line, "complete", is_complete(chrome, summary));
	r = r ?: text_append(line, "}}\n]\n", 5);
	return r ?: chrome_write_line(chrome);
}
