/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The socket belongs to the client as well, so nothing relies on its flags: each call says itself
 * that it must not wait. */
#include "session/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "util/pass.h"

int ask_send(int socket, struct json_object *object)
{
	const char *text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN)
				  : NULL;

	if (!text)
		return -ENOMEM;
	return send(socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int wait_for_answer(int socket, int timeout_ms)
{
	struct pollfd ready = {.fd = socket, .events = POLLIN};
	int n;

	do
		n = poll(&ready, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

ssize_t ask_receive(int socket, int timeout_ms, char answer[ASK_MAX_BYTES], int *ret_fd)
{
	struct iovec data = {.iov_base = answer, .iov_len = ASK_MAX_BYTES - 1};
	ssize_t n;
	int r, fd;

	r = wait_for_answer(socket, timeout_ms);
	if (r < 0)
		return r;
	n = pass_receive(socket, &data, 1, MSG_DONTWAIT, &fd);
	if (n <= 0)
		return n < 0 ? n : -ECONNRESET;
	answer[n] = '\0';
	if (fd >= 0)
		*ret_fd = fd;
	return n;
}
