/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/channel.h - messages over a socket, each with a kind and at most one descriptor */
#ifndef PERFFLOW_INSPECT_CHANNEL_H
#define PERFFLOW_INSPECT_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#define CHANNEL_MAX_BYTES (16 << 20) /* of one message */

struct channel {
	int fd;	     /* borrowed */
	int stop_fd; /* whoever waits gives up when it can be read; or -1 */
	/* Are called before and after waiting, or NULL. */
	void (*pause)(void), (*resume)(void);
	char *buffer;
	size_t room;
};
void channel_done(struct channel *channel);

struct message {
	uint32_t kind;
	int fd;		  /* the caller's from then on, or -1 */
	const char *data; /* until the next one is received */
	size_t size;
};

#define CHANNEL_FOREVER 0

/*
 * By the time end_ns of the monotonic clock: -ETIMEDOUT. -EPIPE: the other side is gone. -ECANCELED: told to stop. -EBADMSG: it
 * is too long.
 */
int channel_send(struct channel *channel, uint32_t kind, const void *data, size_t size, int fd, uint64_t end_ns);
int channel_receive(struct channel *channel, uint64_t end_ns, struct message *ret_message);

#endif
