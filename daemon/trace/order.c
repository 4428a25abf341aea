/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Each ring has a queue that is kept sorted, and a tournament over the heads of the queues finds
 * the oldest record.
 *
 * A ring is nearly in order (its producers reserve and fill at the same time on several CPUs), so a
 * record finds its place after a few steps from the tail, most often none. The tournament is a tree
 * in an array: its leaves are the rings, and each inner node holds the ring whose head is the older
 * of its two children's. When a head changes, only the nodes on the way up from its leaf are played
 * again: six of them for 64 rings. One heap over all records was decided against: it would move
 * every record up and down log2(held) times, where here it is written once and read once.
 *
 * Records are held by value in circular buffers that double when they are full, so nothing is
 * allocated per record.
 */
#include "trace/order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

struct queue { /* of one ring: sorted, those equal in the order of their coming */
	struct event *events;
	size_t room;  /* a power of two, or 0 */
	size_t first; /* counts up without end; its place is first % room */
	size_t n_held;
};

struct order {
	uint64_t window_ns;
	size_t max_held;
	size_t n_held;
	uint64_t out_ns; /* of the youngest that has gone out */
	uint64_t n_late, n_early;
	void *out_owned; /* by what order_pop() gave last */
	unsigned int n_rings;
	unsigned int n_leaves; /* a power of two */
	struct queue *queues;  /* n_rings */
	uint64_t *heads_ns;    /* n_leaves: of the oldest record of each ring, UINT64_MAX if it has
				  none */
	unsigned int *
		winners; /* 2 * n_leaves: [1] is the root, a node's children are at 2i and 2i + 1 */
};

int order_new(unsigned int n_rings, uint64_t window_ns, size_t max_held, struct order **ret_order)
{
	_cleanup_(order_freep) struct order *order = NULL;

	if (!n_rings)
		return -EINVAL;
	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;

	order->window_ns = window_ns;
	order->max_held = max_held;
	order->n_rings = n_rings;
	order->n_leaves = 1;
	while (order->n_leaves < n_rings)
		order->n_leaves *= 2;
	order->queues = calloc(n_rings, sizeof(*order->queues));
	order->heads_ns = calloc(order->n_leaves, sizeof(*order->heads_ns));
	order->winners = calloc(order->n_leaves, 2 * sizeof(*order->winners));
	if (!order->queues || !order->heads_ns || !order->winners)
		return -ENOMEM;

	for (unsigned int i = 0; i < order->n_leaves; i++) {
		order->heads_ns[i] = UINT64_MAX;
		order->winners[order->n_leaves + i] = i;
	}
	for (unsigned int i = order->n_leaves - 1; i > 0; i--)
		order->winners[i] = order->winners[2 * i];

	*ret_order = take_ptr(order);
	return 0;
}

static struct event *queue_at(const struct queue *queue, size_t i)
{
	return &queue->events[(queue->first + i) & (queue->room - 1)];
}

void order_free(struct order *order)
{
	if (!order)
		return;
	for (unsigned int i = 0; order->queues && i < order->n_rings; i++) {
		for (size_t k = 0; k < order->queues[i].n_held; k++)
			event_done(queue_at(&order->queues[i], k));
		free(order->queues[i].events);
	}
	free(order->out_owned);
	free(order->queues);
	free(order->heads_ns);
	free(order->winners);
	free(order);
}

static int queue_grow(struct queue *queue)
{
	struct queue grown = {.room = queue->room ? 2 * queue->room : FIRST_ROOM,
			      .n_held = queue->n_held};

	grown.events = reallocarray(NULL, grown.room, sizeof(*grown.events));
	if (!grown.events)
		return -ENOMEM;
	for (size_t i = 0; i < queue->n_held; i++)
		grown.events[i] = *queue_at(queue, i);
	free(queue->events);
	*queue = grown;
	return 0;
}

/* Returns how many are before the new one. */
static size_t queue_insert(struct queue *queue, const struct event *event)
{
	size_t i = queue->n_held++;

	for (; i > 0 && queue_at(queue, i - 1)->order_ns > event->order_ns; i--)
		*queue_at(queue, i) = *queue_at(queue, i - 1);
	*queue_at(queue, i) = *event;
	return i;
}

/* The head of the ring's queue has changed: plays the games on its way to the root again. */
static void play(struct order *order, unsigned int ring)
{
	const struct queue *queue = &order->queues[ring];
	uint64_t *heads_ns = order->heads_ns;
	unsigned int *winners = order->winners;
	uint64_t head_ns = UINT64_MAX;

	if (queue->n_held) {
		/* a record wins against an empty queue, whatever its time */
		head_ns = queue_at(queue, 0)->order_ns;
		head_ns -= head_ns == UINT64_MAX;
	}
	heads_ns[ring] = head_ns;

	for (unsigned int i = (order->n_leaves + ring) / 2; i > 0; i /= 2) {
		unsigned int left = winners[2 * i], right = winners[2 * i + 1];

		winners[i] = heads_ns[right] < heads_ns[left] ? right : left;
	}
}

int order_push(struct order *order, unsigned int ring, const struct event *event)
{
	struct queue *queue;
	int r;

	if (ring >= order->n_rings)
		return -EINVAL;
	queue = &order->queues[ring];
	if (queue->n_held == queue->room) {
		r = queue_grow(queue);
		if (r < 0)
			return r;
	}

	if (queue_insert(queue, event) == 0)
		play(order, ring);
	order->n_held++;
	order->n_late += event->order_ns < order->out_ns;
	return 0;
}

static bool none_can_precede(const struct order *order, uint64_t time_ns, uint64_t now_ns)
{
	if (now_ns == UINT64_MAX)
		return true;
	return time_ns <= now_ns && now_ns - time_ns >= order->window_ns;
}

int order_pop(struct order *order, uint64_t now_ns, const struct event **ret_event)
{
	unsigned int ring = order->winners[1];
	struct queue *queue = &order->queues[ring];
	const struct event *event;

	if (order->out_owned) {
		free(order->out_owned);
		order->out_owned = NULL;
	}
	if (!order->n_held)
		return 0;

	event = queue_at(queue, 0);
	if (!none_can_precede(order, event->order_ns, now_ns)) {
		if (order->n_held <= order->max_held)
			return 0;
		order->n_early++;
	}

	queue->first++;
	queue->n_held--;
	order->n_held--;
	play(order, ring);
	if (event->order_ns > order->out_ns)
		order->out_ns = event->order_ns;
	order->out_owned = event->owned;

	/* its place in the queue is not used again before the next push */
	*ret_event = event;
	return 1;
}

size_t order_count(const struct order *order)
{
	return order->n_held;
}

uint64_t order_n_early(const struct order *order)
{
	return order->n_early;
}

uint64_t order_n_late(const struct order *order)
{
	return order->n_late;
}
