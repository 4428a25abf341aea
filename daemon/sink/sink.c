/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The table of formats. A format is found once, when a session starts; from then on its functions
 * are called directly. */
#include "sink/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/chrome.h"
#include "sink/output.h"
#include "sink/pfw.h"

static const struct sink_ops *const formats[] = {
	&chrome_sink_ops,
	&pfw_sink_ops,
};

static const struct sink_ops *find_format(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	}
	return NULL;
}

int sink_new(const char *format, struct output *output, const struct sink_start *start,
	     struct sink **ret_sink)
{
	_cleanup_(output_freep) struct output *owned = output;
	const struct sink_ops *ops = find_format(format);
	_cleanup_(sink_freep) struct sink *sink = NULL;
	int r;

	if (!ops)
		return -EINVAL;
	sink = calloc(1, ops->size);
	if (!sink)
		return -ENOMEM;

	sink->ops = ops;
	sink->output = take_ptr(owned);
	r = ops->open(sink, start);
	if (r < 0)
		return r;

	*ret_sink = take_ptr(sink);
	return 0;
}

void sink_summary_subtract(struct sink_summary *summary, const struct sink_summary *counted)
{
	summary->n_spans -= counted->n_spans;
	summary->n_marks -= counted->n_marks;
	summary->n_processes -= counted->n_processes;
	summary->n_short -= counted->n_short;
	summary->n_sampled_out -= counted->n_sampled_out;
	summary->n_bad_records -= counted->n_bad_records;
	summary->n_missed_runs -= counted->n_missed_runs;
	summary->n_out_of_order -= counted->n_out_of_order;
	summary->n_limited -= counted->n_limited;
	summary->n_entered_before -= counted->n_entered_before;
	for (unsigned int i = 0; i < PF_N_LOSSES; i++)
		summary->losses[i] -= counted->losses[i];
	for (unsigned int i = 0; i < PF_N_ENDS; i++)
		summary->n_ends[i] -= counted->n_ends[i];
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	sink->ops->free(sink);
	output_free(sink->output);
	free(sink);
}
