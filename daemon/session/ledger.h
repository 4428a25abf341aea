/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/ledger.h - what a trace lacks, on its way into the trace
 *
 * The kernel side counts by function and process, the control side notes what it does. Both is written by the pipeline's
 * thread, now and then and at the end.
 */
#ifndef PERFFLOW_SESSION_LEDGER_H
#define PERFFLOW_SESSION_LEDGER_H

#include "probe/attach.h"
#include "session/labels.h"
#include "sink/sink.h"
#include "util/cleanup.h"

struct ledger;

/* attach: whose counts are read; NULL in replay. Both are borrowed. */
int ledger_new(struct attach *attach, const struct labels *labels, struct ledger **ret_ledger);
void ledger_free(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_free)

/* From one other thread. What they point to lives as long as the labels. */
void ledger_note_step(struct ledger *ledger, const struct sink_step *step);
void ledger_note_loss(struct ledger *ledger, const struct sink_loss *loss);

/* How many of these found no room on their way, and are in the trace as that number alone: the pipeline stood still meanwhile. */
uint64_t ledger_n_dropped(const struct ledger *ledger);

/* What the pipeline has counted itself, so far. */
struct ledger_sums {
	uint64_t n_bad_records, n_out_of_order;
};

/* Writes what was noted, and every so often (or if it is_last) what was counted. */
int ledger_write(struct ledger *ledger, struct sink *sink, uint64_t now_ns, const struct ledger_sums *sums, bool is_last);

#endif
