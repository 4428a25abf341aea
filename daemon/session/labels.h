/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/labels.h - what join points are called, by number
 *
 * The control side adds, the pipeline's thread reads, without a lock: what has a number never moves or changes. A number
 * reaches the pipeline in an event, and so after its label was added.
 */
#ifndef PERFFLOW_SESSION_LABELS_H
#define PERFFLOW_SESSION_LABELS_H

#include <stdint.h>

#include "sink/sink.h"
#include "util/cleanup.h"

struct labels;

#define LABELS_MAX (1024 * 1024)

int labels_new(struct labels **ret_labels);
void labels_free(struct labels *labels);
DEFINE_CLEANUP(struct labels, labels_free)

/* Numbers count from 1. -E2BIG past LABELS_MAX. The strings are copied. */
int labels_add(struct labels *labels, const char *name, const char *category, uint32_t *ret_number);

/* NULL for a number that was never given. */
const struct sink_label *labels_find(const struct labels *labels, uint32_t number);

uint32_t labels_count(const struct labels *labels);

#endif
