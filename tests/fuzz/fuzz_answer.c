/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a client may answer when it is asked for a file: of a process, or the next piece of a trace. The input is a row of answers, each
 * behind a byte of its size and one that says whether a descriptor comes along.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "session/files.h"
#include "session/rotation.h"
#include "util/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECE 100000

static int lowest_free_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static void answer(int socket, const uint8_t *data, size_t size, int fd)
{
	struct iovec part = {(void *)data, size};

	pass_send(socket, &part, 1, fd, MSG_DONTWAIT);
}

static int make_descriptor(unsigned int kind)
{
	switch (kind % 4) {
	case 0:
		return -1;
	case 1:
		return memfd_create("piece", MFD_CLOEXEC);
	case 2:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	default:
		return open("/", O_PATH | O_CLOEXEC);
	}
}

static void take_piece(struct rotation *rotation, uint64_t *n_bytes)
{
	unsigned int before = rotation_piece(rotation);
	int fd;

	*n_bytes += 2 * PIECE;
	fd = rotation_next(rotation, *n_bytes, 0);
	if (rotation_piece(rotation) != before + (fd >= 0))
		abort();
	closep(&fd);
}

static void take_file(struct files *files)
{
	const struct pfw_request request = {.pid = 1, .log_dir = ".", .name = "n"};
	struct why why = {0};
	int fd = files_open(files, &request, &why);

	if (fd < 0 && !*why_text(&why, fd))
		abort();
	closep(&fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int before = lowest_free_fd(), for_pieces[2], for_files[2];
	struct strings warnings = {0};
	struct rotation *rotation;
	struct files *files;
	uint64_t n_bytes = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, for_pieces) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, for_files) < 0 ||
	    rotation_new(for_pieces[0], PIECE, 0, 0, &rotation) < 0 || files_new(for_files[0], &files) < 0)
		abort();
	while (size > 2 && data[0] > 0 && data[0] <= size - 2) {
		int fd = make_descriptor(data[1]);

		take_piece(rotation, &n_bytes); /* asks */
		answer(for_pieces[1], data + 2, data[0], fd);
		take_piece(rotation, &n_bytes);
		answer(for_files[1], data + 2, data[0], fd);
		take_file(files);
		closep(&fd);
		size -= data[0] + 2;
		data += data[0] + 2;
	}
	if (rotation_warn(rotation, &warnings) < 0)
		abort();
	strings_done(&warnings);
	rotation_free(rotation);
	files_free(files);
	close(for_pieces[1]);
	close(for_files[1]);
	if (lowest_free_fd() != before)
		abort();
	return 0;
}
