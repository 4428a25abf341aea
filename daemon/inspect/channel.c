/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A stream and not packets: a message may be longer than what the socket's buffer takes at once. A descriptor comes with the
 * first byte of its message.
 *
 * Where there is no end to wait for, neither poll() nor anything else but sendmsg() and recvmsg() is called: that side has
 * given up the right to.
 */
#include "inspect/channel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/now.h"
#include "util/pass.h"

struct header {
	uint32_t size, kind;
};

void channel_done(struct channel *channel)
{
	free(channel->buffer);
	channel->buffer = NULL;
	channel->room = 0;
}

/* Until the socket is ready, somebody says that it is enough, or it is late: who called looks again. */
static int wait_for(struct channel *channel, short events, uint64_t end_ns)
{
	struct pollfd fds[] = { { .fd = channel->fd, .events = events }, { .fd = channel->stop_fd, .events = POLLIN } };
	uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC), left_ms;
	int r = 0;

	if (now_ns >= end_ns)
		return -ETIMEDOUT;
	left_ms = (end_ns - now_ns) / 1000000 + 1;
	if (channel->pause)
		channel->pause();
	if (poll(fds, 2, left_ms < INT_MAX ? (int)left_ms : INT_MAX) < 0 && errno != EINTR)
		r = -errno;
	if (channel->resume)
		channel->resume();
	return r < 0 ? r : fds[1].revents ? -ECANCELED : 0;
}

/* What is left of a message. */
struct unsent {
	struct iovec *parts;
	size_t n_parts;
	int fd; /* goes with the first bytes, or -1 */
};

static void skip(struct unsent *unsent, size_t n)
{
	unsent->fd = -1;
	for (; unsent->n_parts && n >= unsent->parts->iov_len; unsent->parts++, unsent->n_parts--)
		n -= unsent->parts->iov_len;
	if (n) {
		unsent->parts->iov_base = (char *)unsent->parts->iov_base + n;
		unsent->parts->iov_len -= n;
	}
}

int channel_send(struct channel *channel, uint32_t kind, const void *data, size_t size, int fd, uint64_t end_ns)
{
	struct header header = { .size = size, .kind = kind };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)data, size } };
	struct unsent unsent = { .parts = parts, .n_parts = size ? 2 : 1, .fd = fd };
	int r = 0;

	if (size > CHANNEL_MAX_BYTES)
		return -EBADMSG;
	while (unsent.n_parts && r >= 0) {
		ssize_t n = pass_send(channel->fd, unsent.parts, unsent.n_parts, unsent.fd, end_ns ? MSG_DONTWAIT : 0);

		if (n >= 0)
			skip(&unsent, n);
		else if (n == -EAGAIN)
			r = wait_for(channel, POLLOUT, end_ns);
		else if (n != -EINTR)
			return -EPIPE;
	}
	return r;
}

/* All of the bytes, and the descriptor that comes with any of them. */
static int receive_all(struct channel *channel, void *data, size_t size, uint64_t end_ns, int *fd)
{
	size_t done = 0;
	int r = 0;

	while (done < size && r >= 0) {
		const struct iovec part = { (char *)data + done, size - done };
		int taken = -1;
		ssize_t n = pass_receive(channel->fd, &part, 1, end_ns ? MSG_DONTWAIT : 0, &taken);

		if (taken >= 0) {
			closep(fd);
			*fd = taken;
		}
		if (n > 0)
			done += n;
		else if (n == -EAGAIN)
			r = wait_for(channel, POLLIN, end_ns);
		else if (n != -EINTR)
			r = -EPIPE;
	}
	return r;
}

static int make_room(struct channel *channel, size_t size)
{
	char *buffer;

	if (size <= channel->room)
		return 0;
	buffer = realloc(channel->buffer, size);
	if (!buffer)
		return -ENOMEM;
	channel->buffer = buffer;
	channel->room = size;
	return 0;
}

int channel_receive(struct channel *channel, uint64_t end_ns, struct message *ret_message)
{
	_cleanup_close_ int fd = -1;
	struct header header;
	int r;

	r = receive_all(channel, &header, sizeof(header), end_ns, &fd);
	if (r >= 0 && header.size > CHANNEL_MAX_BYTES)
		r = -EBADMSG;
	if (r >= 0)
		r = make_room(channel, header.size);
	if (r >= 0)
		r = receive_all(channel, channel->buffer, header.size, end_ns, &fd);
	if (r < 0)
		return r;
	*ret_message = (struct message){
		.kind = header.kind, .fd = take_fd(fd), .data = channel->buffer, .size = header.size };
	return 0;
}
