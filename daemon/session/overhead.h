/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/overhead.h - watches what a session costs the programs that it traces, tells of it, and keeps it within a budget
 *
 * It runs on the loop. What happens goes into the trace as well, through the pipeline.
 */
#ifndef PERFFLOW_SESSION_OVERHEAD_H
#define PERFFLOW_SESSION_OVERHEAD_H

#include <systemd/sd-event.h>

#include "probe/attach.h"
#include "probe/budget.h"
#include "probe/calibrate.h"
#include "probe/cost.h"
#include "session/labels.h"
#include "session/pipeline.h"
#include "util/text.h"

struct overhead;

/* There is something new for the user: overhead_notices(). */
typedef void (*overhead_notice_fn)(void *userdata);

struct overhead_config {
	struct attach *attach; /* all of these are borrowed */
	const struct calibration *calibration;
	const struct labels *labels;
	unsigned int permille; /* the budget, or 0 */
	overhead_notice_fn notice_fn;
	void *userdata;
};

/* Ready for weaving, which notes in overhead_costs() what there is. */
int overhead_new(const struct overhead_config *config, struct overhead **ret_overhead);
void overhead_free(struct overhead *overhead);
DEFINE_CLEANUP(struct overhead, overhead_free)
struct cost_table *overhead_costs(struct overhead *overhead);

/* The probes are armed. The pipeline is borrowed until overhead_stop(). */
int overhead_start(struct overhead *overhead, sd_event *loop, struct pipeline *pipeline);
/* Looks a last time. The probes are there still, the pipeline writes still. */
void overhead_stop(struct overhead *overhead);

/* Sentences, the newest last. */
const struct strings *overhead_notices(const struct overhead *overhead);

/* Walks over what is limited: start with *cursor 0. */
bool overhead_next_limited(const struct overhead *overhead, size_t *cursor, enum budget_state *ret_state,
			   struct budget_step *ret_step, const struct sink_label **ret_label);

#endif
