/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * An event begins with what divides it from the one before it, so that the bytes are the same as if
 * each ended in its comma, and the end can follow at any place.
 *
 * Room that is left stands before the comma of its line (or behind the bracket, at the beginning):
 * filled or not, the lines around it are right.
 */
#include "sink/pfw_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (128 * 1024)
#define ROOM_BYTES   512

static const char array_head[] = "[";
static const char object_head[] = "{\n  \"displayTimeUnit\": \"ms\",\n  \"otherData\": {\n\n  },\n"
				  "  \"traceEvents\": [";

struct pfw_file {
	int fd;
	bool is_object;
	bool has_events;
	int error;
	uint64_t at; /* where in the file the buffer goes */
	size_t size; /* of what is in the buffer */
	char *buffer;
};

static const char *head(const struct pfw_file *file)
{
	return file->is_object ? object_head : array_head;
}

static const char *tail(const struct pfw_file *file)
{
	return file->is_object ? "\n  ]\n}\n" : "\n]\n";
}

static void append(struct pfw_file *file, const char *data, size_t size)
{
	memcpy(file->buffer + file->size, data, size);
	file->size += size;
}

void pfw_file_free(struct pfw_file *file)
{
	if (!file)
		return;
	closep(&file->fd);
	free(file->buffer);
	free(file);
}

/* Returns how much could be written. */
static size_t write_at(struct pfw_file *file, const char *data, size_t size, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = pwrite(file->fd, data + done, size - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			file->error = n < 0 ? -errno : -EIO;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

/* How much of the first n bytes of the buffer is whole events, without the comma behind them. */
static size_t whole_events(const struct pfw_file *file, size_t n)
{
	if (n >= file->size)
		return file->size;
	for (; n > 0; n--) {
		if (file->buffer[n - 1] == ',' && file->buffer[n] == '\n')
			return n - 1;
	}
	return 0;
}

/* Of what a full disk took in part, the whole events stay; n bytes are in the file. */
static void cut_off(struct pfw_file *file, size_t n)
{
	uint64_t end = file->at + whole_events(file, n);
	int error = file->error;

	if (ftruncate(file->fd, (off_t)end) == 0)
		write_at(file, tail(file), strlen(tail(file)), end);
	file->error = error;
}

static int drain(struct pfw_file *file)
{
	const char *end = tail(file);
	size_t n;

	if (file->error || file->size == 0)
		return file->error;
	memcpy(file->buffer + file->size, end, strlen(end));
	n = write_at(file, file->buffer, file->size + strlen(end), file->at);
	if (file->error) {
		cut_off(file, n);
		return file->error;
	}
	file->at += file->size;
	file->size = 0;
	return 0;
}

int pfw_file_open(int fd, bool is_object, struct pfw_file **ret_file)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int owned_fd = fd;
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = take_fd(owned_fd);
	file->is_object = is_object;
	file->buffer = malloc(BUFFER_BYTES);
	if (!file->buffer)
		return -ENOMEM;
	append(file, head(file), strlen(head(file)));
	r = drain(file);
	if (r < 0)
		return r;

	*ret_file = take_ptr(file);
	return 0;
}

/* Makes room in the buffer, beside that for the end. */
static int make_room(struct pfw_file *file, size_t size)
{
	if (file->error)
		return file->error;
	return file->size + size + 16 > BUFFER_BYTES ? drain(file) : 0;
}

int pfw_file_add(struct pfw_file *file, const char *event, size_t size)
{
	int r;

	if (size > PFW_MAX_EVENT_BYTES)
		return -EMSGSIZE;
	r = make_room(file, size + 2);
	if (r < 0)
		return r;
	append(file, file->has_events ? ",\n" : "\n", file->has_events ? 2 : 1);
	append(file, event, size);
	file->has_events = true;
	return 0;
}

int pfw_file_leave_room(struct pfw_file *file, struct pfw_room *ret_room)
{
	int r = make_room(file, ROOM_BYTES);

	if (r < 0)
		return r;
	*ret_room = (struct pfw_room){.at = file->at + file->size, .is_first = !file->has_events};
	memset(file->buffer + file->size, ' ', ROOM_BYTES);
	file->size += ROOM_BYTES;
	return 0;
}

int pfw_file_fill(struct pfw_file *file, const struct pfw_room *room, const char *event,
		  size_t size)
{
	char text[ROOM_BYTES];
	size_t n = 0;

	if (size + 2 > sizeof(text))
		return -EMSGSIZE;
	if (file->error)
		return file->error;
	if (!room->is_first)
		text[n++] = ',';
	text[n++] = '\n';
	memcpy(text + n, event, size);
	n += size;
	if (room->is_first)
		text[n++] = ',';
	if (room->at >= file->at)
		memcpy(file->buffer + (room->at - file->at), text, n);
	else
		write_at(file, text, n, room->at);
	return file->error;
}

int pfw_file_flush(struct pfw_file *file)
{
	return drain(file);
}

int pfw_file_finish(struct pfw_file *file)
{
	pfw_file_flush(file);
	/* a network file system may tell only here that the disk is full */
	if (close(take_fd(file->fd)) < 0 && errno != EINTR && !file->error)
		file->error = -errno;
	return file->error;
}

uint64_t pfw_file_n_bytes(const struct pfw_file *file)
{
	return file->at;
}
