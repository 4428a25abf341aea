/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Written when it becomes known, so that a trace that is cut off has it up to there. */
#include <string.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/put.h"

#define OVERHEAD_CATEGORY "__overhead"

static int append_us(struct text *line, const char *key, uint64_t time_ns)
{
	char number[PUT_NUMBER_BYTES], *end = put_thousandths(number, time_ns);
	int r = args_key(line, key);

	return r ?: text_append(line, number, end - number);
}

static int append_percent(struct text *line, const char *key, unsigned int permille)
{
	int r = args_key(line, key);

	return r ?: text_printf(line, "%u.%u", permille / 10, permille % 10);
}

int chrome_step(struct sink *sink, const struct sink_step *step)
{
	const struct pf_event event = {.time_ns = step->time_ns, .pid = step->pid, .tid = step->tid};
	struct chrome *chrome = (struct chrome *)sink;
	struct text *line = &chrome->line;
	int r;

	chrome->n_pauses += strcmp(step->what, "paused") == 0;
	r = chrome_begin_line(chrome, step->what, OVERHEAD_CATEGORY, "i", &event);
	r = r ?: text_append(line, ",\"s\":\"p\"", 8);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_string(line, "function", step->label->name);
	r = r ?: args_string(line, "module", step->label->category);
	r = r ?: append_percent(line, "percent", step->permille);
	r = r ?: args_unsigned(line, "calls_per_s", step->calls_per_s);
	r = r ?: append_us(line, "call_us", step->call_ns);
	if (r == 0 && step->budget_permille)
		r = append_percent(line, "budget_percent", step->budget_permille);
	if (r == 0 && step->sample)
		r = args_unsigned(line, "sample", step->sample);
	return r ?: chrome_end_args(chrome);
}

int chrome_loss(struct sink *sink, const struct sink_loss *loss)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct text *line = &chrome->line;
	int r;

	r = chrome_begin_own(chrome, "perfflow_ledger", loss->end_ns ?: loss->begin_ns);
	r = r ?: args_string(line, "reason", loss->reason);
	r = r ?: args_optional(line, "function", loss->function);
	r = r ?: args_optional(line, "module", loss->module);
	if (r == 0 && loss->pid)
		r = args_unsigned(line, "pid", chrome_shown_pid(chrome, loss->pid));
	if (r == 0 && loss->n)
		r = args_unsigned(line, "n", loss->n);
	r = r ?: append_us(line, "begin", loss->begin_ns);
	if (r == 0 && loss->end_ns)
		r = append_us(line, "end", loss->end_ns);
	return r ?: chrome_end_args(chrome);
}
