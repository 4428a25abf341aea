/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/pass.h - messages over a socket of Unix, with which one descriptor may go along */
#ifndef PERFFLOW_UTIL_PASS_H
#define PERFFLOW_UTIL_PASS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The parts in one go; fd is -1 or goes along. The number of bytes that were taken. */
ssize_t pass_send(int socket, const struct iovec *parts, size_t n_parts, int fd, int flags);

/*
 * The number of bytes, 0 at the end. *ret_fd is what came along, or -1; of several descriptors it is the first one, and the
 * others are closed.
 */
ssize_t pass_receive(int socket, const struct iovec *parts, size_t n_parts, int flags, int *ret_fd);

#endif
