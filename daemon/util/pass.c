/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Used after a fork as well: nothing is allocated. */
#include "util/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

ssize_t pass_send(int socket, const struct iovec *parts, size_t n_parts, int fd, int flags)
{
	union control control = { .header = {
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	} };
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts };
	ssize_t n;

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	n = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

ssize_t pass_receive(int socket, const struct iovec *parts, size_t n_parts, int flags, int *ret_fd)
{
	union control control;
	/* room for one and not, by padding, for two: what does not fit the kernel closes */
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts, .msg_control = &control,
				  .msg_controllen = CMSG_LEN(sizeof(int)) };
	const struct cmsghdr *header;
	ssize_t n;

	n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	*ret_fd = -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return n;
}
