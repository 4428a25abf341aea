/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* libbpf's reader, one object for each ring so that each can be left after its share of records. */
#include "probe/rings.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>

#define RECORDS_PER_TURN 8192

struct ring {
	struct rings *rings;
	struct ring_buffer *buffer;
	unsigned int number, n_taken;
};

struct rings {
	rings_record_fn record_fn;
	void *userdata;
	int epoll_fd;
	unsigned int n_rings;
	struct ring ring[];
};

static int on_record(void *userdata, void *data, size_t size)
{
	struct ring *ring = userdata;

	ring->rings->record_fn(ring->number, data, size, ring->rings->userdata);
	/* an error makes libbpf stop, with this record taken */
	return ++ring->n_taken == RECORDS_PER_TURN ? -EAGAIN : 0;
}

static int ring_open(struct rings *rings, unsigned int number, int map_fd)
{
	struct ring *ring = &rings->ring[number];
	struct epoll_event event = { .events = EPOLLIN };

	ring->rings = rings;
	ring->number = number;
	ring->buffer = ring_buffer__new(map_fd, on_record, ring, NULL);
	if (!ring->buffer)
		return -errno;
	rings->n_rings++;
	if (epoll_ctl(rings->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(ring->buffer), &event) < 0)
		return -errno;
	return 0;
}

int rings_open(const struct attach *attach, rings_record_fn record_fn, void *userdata, struct rings **ret_rings)
{
	_cleanup_(rings_closep) struct rings *rings = NULL;
	unsigned int n_rings = attach_n_rings(attach);
	int r;

	rings = calloc(1, sizeof(*rings) + n_rings * sizeof(rings->ring[0]));
	if (!rings)
		return -ENOMEM;
	rings->record_fn = record_fn;
	rings->userdata = userdata;
	rings->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rings->epoll_fd < 0)
		return -errno;
	for (unsigned int i = 0; i < n_rings; i++) {
		r = ring_open(rings, i, attach_ring_fd(attach, i));
		if (r < 0)
			return r;
	}
	*ret_rings = take_ptr(rings);
	return 0;
}

void rings_close(struct rings *rings)
{
	if (!rings)
		return;
	for (unsigned int i = 0; i < rings->n_rings; i++)
		ring_buffer__free(rings->ring[i].buffer);
	closep(&rings->epoll_fd);
	free(rings);
}

int rings_fd(const struct rings *rings)
{
	return rings->epoll_fd;
}

int rings_consume(struct rings *rings)
{
	bool more = false;

	for (unsigned int i = 0; i < rings->n_rings; i++) {
		rings->ring[i].n_taken = 0;
		more |= ring_buffer__consume(rings->ring[i].buffer) == -EAGAIN;
	}
	return more;
}
