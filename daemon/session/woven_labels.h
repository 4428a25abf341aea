/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/woven_labels.h - what the functions are called that PerfFlowAspect's runtime is told of (probe/woven.h): they are
 * known by their first event. On the pipeline's thread.
 */
#ifndef PERFFLOW_SESSION_WOVEN_LABELS_H
#define PERFFLOW_SESSION_WOVEN_LABELS_H

#include <stdint.h>

#include "sink/sink.h"
#include "trace/event.h"
#include "util/cleanup.h"

#define WOVEN_LABELS_NUMBERS 4096 /* for the first functions; what is beyond has one number together */

struct woven_labels;

int woven_labels_new(struct woven_labels **ret_labels);
void woven_labels_free(struct woven_labels *labels);
DEFINE_CLEANUP(struct woven_labels, woven_labels_free)

/*
 * The label of the function that a span or mark is about, and the number under which sinks may keep what they make of it:
 * one of the WOVEN_LABELS_NUMBERS from first_number on. The label lives as long as the labels.
 */
int woven_labels_find(struct woven_labels *labels, const struct event *event, uint32_t first_number,
		      const struct sink_label **ret_label, uint32_t *ret_number);

#endif
