/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/labels.h - what join points are called, by number
 *
 * The control side adds, the pipeline's thread reads, without a lock: what has a number never moves or changes. A number
 * reaches the pipeline in an event, and so after its label was added.
 */
#ifndef PERFFLOW_SESSION_LABELS_H
#define PERFFLOW_SESSION_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include "sink/sink.h"
#include "util/cleanup.h"

struct labels;

#define LABELS_MAX (1024 * 1024)

int labels_new(struct labels **ret_labels);
void labels_free(struct labels *labels);
DEFINE_CLEANUP(struct labels, labels_free)

/*
 * Numbers count from 1. -E2BIG past LABELS_MAX. All in the label is copied. The condition is the one under which the join
 * point is recorded, for records that the kernel side could not decide on.
 */
int labels_add(struct labels *labels, const struct sink_label *label, const struct pf_condition *condition,
	       uint32_t *ret_number);

/* NULL for a number that was never given. */
const struct sink_label *labels_find(const struct labels *labels, uint32_t number);
const struct pf_condition *labels_condition(const struct labels *labels, uint32_t number);

/* Its events are calls that the Python interpreter tells of: some of them are wanted (probe/python.h). Whether it is so. */
void labels_set_any_call(struct labels *labels, uint32_t number);
bool labels_are_of_any_call(const struct labels *labels, uint32_t number);

/* An event of that number was written; whether one was. */
void labels_note_event(const struct labels *labels, uint32_t number);
bool labels_have_event(const struct labels *labels, uint32_t number);

/*
 * Numbers that are nobody's here, n from the one returned on (0: there are no more): labels_find() has nothing for them. And
 * those that are for the functions that the events of a number tell of (session/woven_labels.h); 0: they tell of none.
 */
uint32_t labels_reserve(struct labels *labels, uint32_t n);
void labels_set_told(struct labels *labels, uint32_t number, uint32_t first_told);
uint32_t labels_told(const struct labels *labels, uint32_t number);

uint32_t labels_count(const struct labels *labels);

/* The last number that was given or reserved; 0: none. */
uint32_t labels_last(const struct labels *labels);

/* Whether any join point is in a file of that name, so far. */
bool labels_are_in(const struct labels *labels, const char *file_name);

#endif
