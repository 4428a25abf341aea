/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Lines are formatted right into one large buffer, which goes out when the next line does not fit,
 * or at a flush: so a write(2) always begins and ends between lines, and a trace that is cut off
 * between two writes still loads.
 *
 * A pipe belongs to its reader as well: O_NONBLOCK would be set for every process that shares the
 * open file (the user's shell among them), so it is left alone. Instead the output waits with
 * poll(2), together with the descriptor that tells it to stop, and writes no more than what a
 * writable pipe takes for sure: PIPE_BUF bytes. Where the kernel can also be asked not to wait
 * (RWF_NOWAIT, MSG_DONTWAIT), it is: somebody else may have filled the pipe since. A terminal takes
 * less for sure, and nobody minds that it is slow.
 *
 * Compressed: one gzip member without flush points, since readers take the first member only and
 * one of them loses what follows a flush point. Level 1: higher ones cost twice the time for a
 * tenth of the size.
 */
#include "sink/output.h"
#include "util/now.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER_BYTES	  (256 * 1024)
#define TERMINAL_BYTES	  256
#define STOP_MS		  2000
#define GZIP_WINDOW_BITS  (15 + 16) /* the largest window, with a gzip header */
#define GZIP_MEMORY_LEVEL 8
#define GZIP_LEVEL	  1

struct output {
	int fd;
	int stop_fd;	    /* borrowed */
	size_t piece_bytes; /* at most this in one write(2), after poll(2); 0: a file, which takes
			       all without */
	bool is_socket, is_begun;
	bool can_wait_only; /* the kernel knows no RWF_NOWAIT for it */
	bool compress;
	int error;
	uint64_t n_bytes;
	uint64_t deadline_ms; /* CLOCK_MONOTONIC, from when stop_fd was seen readable; 0 before */
	size_t size;	      /* of what is in buffer: whole lines */
	char *buffer;
	z_stream zlib;
	char *compressed; /* BUFFER_BYTES, or NULL */
};

static uint64_t now_ms(void)
{
	return clock_now_ns(CLOCK_MONOTONIC) / 1000000;
}

static void find_out_kind(struct output *output)
{
	struct stat st;

	output->piece_bytes = 0;
	output->can_wait_only = false;
	if (fstat(output->fd, &st) < 0)
		return;
	output->is_socket = S_ISSOCK(st.st_mode);
	if (output->is_socket || S_ISFIFO(st.st_mode))
		output->piece_bytes = PIPE_BUF;
	else if (S_ISCHR(st.st_mode) && isatty(output->fd))
		output->piece_bytes = TERMINAL_BYTES;
}

static int start_gzip(struct output *output)
{
	output->compressed = malloc(BUFFER_BYTES);
	if (!output->compressed)
		return -ENOMEM;
	if (deflateInit2(&output->zlib, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;

	output->compress = true;
	output->zlib.next_out = (Bytef *)output->compressed;
	output->zlib.avail_out = BUFFER_BYTES;
	return 0;
}

int output_open(int fd, bool compress, int stop_fd, struct output **ret_output)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int owned_fd = fd;
	int r;

	output = calloc(1, sizeof(*output));
	if (!output)
		return -ENOMEM;
	output->fd = take_fd(owned_fd);
	output->stop_fd = stop_fd;
	find_out_kind(output);

	output->buffer = malloc(BUFFER_BYTES);
	if (!output->buffer)
		return -ENOMEM;
	if (compress) {
		r = start_gzip(output);
		if (r < 0)
			return r;
	}

	*ret_output = take_ptr(output);
	return 0;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	if (output->compress)
		deflateEnd(&output->zlib);
	free(output->compressed);
	free(output->buffer);
	if (output->fd >= 0)
		close(output->fd);
	free(output);
}

static int fail(struct output *output, int error)
{
	if (!output->error)
		output->error = error;
	return output->error;
}

static int time_left_ms(const struct output *output)
{
	uint64_t now;

	if (!output->deadline_ms)
		return -1;
	now = now_ms();
	return now < output->deadline_ms ? (int)(output->deadline_ms - now) : 0;
}

/* Waits until a piece can be written. -ETIMEDOUT: it could not, long after the session was to stop.
 */
static int wait_writable(struct output *output)
{
	struct pollfd fds[2] = {{.fd = output->fd, .events = POLLOUT},
				{.fd = output->stop_fd, .events = POLLIN}};
	int n;

	for (;;) {
		if (output->deadline_ms)
			fds[1].fd = -1;
		n = poll(fds, 2, time_left_ms(output));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0)
			continue;
		if (fds[1].fd >= 0 && fds[1].revents)
			output->deadline_ms = now_ms() + STOP_MS;
		if (fds[0].revents) /* an error too: the write tells which */
			return 0;
	}
}

static ssize_t write_piece(struct output *output, const char *data, size_t size)
{
	struct iovec part = {.iov_base = (char *)data, .iov_len = size};
	ssize_t n;

	if (output->is_socket)
		return send(output->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (output->piece_bytes && !output->can_wait_only) {
		n = pwritev2(output->fd, &part, 1, -1, RWF_NOWAIT);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
			return n;
		output->can_wait_only = true;
	}
	return write(output->fd, data, size);
}

/* What was in a file goes with the first write, not before: until then the session may be refused. */
static void begin(struct output *output)
{
	struct stat st;

	output->is_begun = true;
	if (fstat(output->fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size || lseek(output->fd, 0, SEEK_CUR) != 0 ||
	    fcntl(output->fd, F_GETFL) & O_APPEND)
		return;
	if (ftruncate(output->fd, 0) < 0)
		fail(output, -errno);
}

/*
 * A file that took only a part, since the disk is full, would end in half an event: it is cut back to
 * the end of the last whole one, before the comma that announces the next.
 */
static void cut_off_half_a_line(struct output *output, const char *start, const char *end)
{
	const char *cut = end;
	off_t length;

	if (output->piece_bytes || output->compress || start == end)
		return;
	while (cut > start && !(cut[0] == ',' && cut[1] == '\n'))
		cut--;
	length = lseek(output->fd, cut - end, SEEK_CUR);
	if (length >= 0 && ftruncate(output->fd, length) == 0)
		output->n_bytes -= end - cut;
}

static int write_all(struct output *output, const char *data, size_t size)
{
	const char *start = data;
	size_t piece;
	ssize_t n;
	int r;

	if (!output->is_begun)
		begin(output);
	while (size > 0 && !output->error) {
		piece = size;
		if (output->piece_bytes) {
			r = wait_writable(output);
			if (r < 0)
				return fail(output, r);
			if (piece > output->piece_bytes)
				piece = output->piece_bytes;
		}
		n = write_piece(output, data, piece);
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			r = -errno;
			cut_off_half_a_line(output, start, data);
			return fail(output, r);
		}
		if (n > 0) {
			data += n;
			size -= n;
			output->n_bytes += n;
		}
	}
	return output->error;
}

static int write_compressed(struct output *output)
{
	int r;

	r = write_all(output, output->compressed, BUFFER_BYTES - output->zlib.avail_out);
	output->zlib.next_out = (Bytef *)output->compressed;
	output->zlib.avail_out = BUFFER_BYTES;
	return r;
}

/* Compresses what is buffered; flush is Z_NO_FLUSH, or Z_FINISH to end the member. */
static int deflate_buffer(struct output *output, int flush)
{
	int r = Z_OK;

	output->zlib.next_in = (Bytef *)output->buffer;
	output->zlib.avail_in = output->size;
	while (!output->error &&
	       (flush == Z_FINISH ? r != Z_STREAM_END : output->zlib.avail_in > 0)) {
		if (output->zlib.avail_out == 0)
			write_compressed(output);
		r = deflate(&output->zlib, flush);
		if (r == Z_STREAM_ERROR)
			return fail(output, -EIO);
	}
	return output->error;
}

/* Empties the buffer. What cannot be written is dropped. */
static void drain(struct output *output)
{
	if (output->compress)
		deflate_buffer(output, Z_NO_FLUSH);
	else
		write_all(output, output->buffer, output->size);
	output->size = 0;
}

char *output_reserve(struct output *output, size_t n)
{
	if (n > BUFFER_BYTES - output->size)
		drain(output);
	return output->buffer + output->size;
}

void output_commit(struct output *output, size_t n)
{
	output->size += n;
}

int output_flush(struct output *output)
{
	drain(output);
	if (output->compress)
		write_compressed(output);
	return output->error;
}

int output_flush_some(struct output *output)
{
	struct pollfd fd = {.fd = output->fd, .events = POLLOUT};
	size_t n, done = 0;

	if (!output->piece_bytes || output->compress)
		return output_flush(output);

	while (done < output->size && !output->error && poll(&fd, 1, 0) == 1) {
		n = output->size - done;
		if (n > output->piece_bytes)
			n = output->piece_bytes;
		write_all(output, output->buffer + done, n);
		done += n;
	}
	memmove(output->buffer, output->buffer + done, output->size - done);
	output->size -= done;
	return output->error;
}

/* A gzip member of its own. */
static int restart_gzip(struct output *output)
{
	if (deflateReset(&output->zlib) != Z_OK)
		return fail(output, -EIO);
	output->zlib.next_out = (Bytef *)output->compressed;
	output->zlib.avail_out = BUFFER_BYTES;
	return 0;
}

int output_next(struct output *output, int fd)
{
	_cleanup_close_ int next_fd = fd;
	int r;

	r = output_finish(output);
	if (r < 0)
		return r;
	output->fd = take_fd(next_fd);
	output->is_begun = false;
	find_out_kind(output);
	return output->compress ? restart_gzip(output) : 0;
}

int output_finish(struct output *output)
{
	if (output->fd < 0)
		return output->error;
	if (output->compress) {
		deflate_buffer(output, Z_FINISH);
		output->size = 0;
	}
	output_flush(output);

	/* a network file system may tell only here that the disk is full */
	if (close(take_fd(output->fd)) < 0 && errno != EINTR)
		fail(output, -errno);
	return output->error;
}

int output_error(const struct output *output)
{
	return output->error;
}

uint64_t output_n_bytes(const struct output *output)
{
	return output->n_bytes;
}
