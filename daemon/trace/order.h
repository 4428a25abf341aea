/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace/order.h - one stream in order of time out of several rings */
#ifndef PERFFLOW_TRACE_ORDER_H
#define PERFFLOW_TRACE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "trace/event.h"
#include "util/cleanup.h"

struct order;

/* Holds records back for window_ns, at most max_held of them; beyond that the oldest goes out
 * early, counted. */
int order_new(unsigned int n_rings, uint64_t window_ns, size_t max_held, struct order **ret_order);
void order_free(struct order *order);
DEFINE_CLEANUP(struct order, order_free)

/* Takes one record of a ring, and what it owns, in (nearly) that ring's own order of order_ns. On
 * failure the caller keeps it. */
int order_push(struct order *order, unsigned int ring, const struct event *event);

/*
 * Returns 1 and the oldest record that none can precede any more (it was sent window_ns before now,
 * or too many are held), else 0. The record stays valid until the next call. UINT64_MAX as now lets
 * all go.
 */
int order_pop(struct order *order, uint64_t now_ns, const struct event **ret_event);

size_t order_count(const struct order *order);
/* Records that went out before their time since too many were held. */
uint64_t order_n_early(const struct order *order);
/* Records that came after a younger one had gone out: they are delivered, out of order. */
uint64_t order_n_late(const struct order *order);

#endif
