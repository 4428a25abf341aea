/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A file is asked for when three quarters of the piece before are written, so that it is there in
 * time. Is it not, it is looked for each time that some more was written, not for each event. A
 * client that could not make a file is asked again when the piece has grown by as much again; one
 * that has gone is not asked any more.
 */
#include "session/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "session/ask.h"
#include "util/now.h"

#define LOOK_BYTES (256 * 1024)
#define LOOK_NS	   50000000ULL

struct rotation {
	int fd;
	uint64_t piece_bytes, piece_ns; /* 0: without limit */
	uint64_t end_bytes, end_ns;	/* of the piece, of all bytes; or UINT64_MAX */
	uint64_t due_bytes, due_ns;	/* when there is something to do, or UINT64_MAX */
	unsigned int piece;		/* atomic */
	bool is_asked, is_alone;	/* nobody answers any more */
	unsigned int n_refused;
	char refusal[256]; /* the last one */
};

struct clock_snapshot rotation_take_snapshot(void)
{
	struct clock_snapshot best = {.width_ns = UINT64_MAX};

	for (int i = 0; i < 5; i++) {
		uint64_t before_ns = clock_now_ns(CLOCK_BOOTTIME), real_ns = clock_now_ns(CLOCK_REALTIME);
		uint64_t width_ns = clock_now_ns(CLOCK_BOOTTIME) - before_ns;
		struct clock_snapshot snapshot = {before_ns + width_ns / 2, real_ns, width_ns};

		clock_snapshot_better(&best, &snapshot);
	}
	return best;
}

static void begin_piece(struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns)
{
	rotation->end_bytes = rotation->end_ns = rotation->due_bytes = rotation->due_ns = UINT64_MAX;
	if (rotation->piece_bytes) {
		rotation->end_bytes = n_bytes + rotation->piece_bytes;
		rotation->due_bytes = rotation->end_bytes - rotation->piece_bytes / 4;
	}
	if (rotation->piece_ns) {
		rotation->end_ns = now_ns + rotation->piece_ns;
		rotation->due_ns = rotation->end_ns - rotation->piece_ns / 4;
	}
}

/* An answer that is not there yet is waited for by bytes and by time, as both limits may be near. */
static void look_later(struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns)
{
	bool is_over = n_bytes >= rotation->end_bytes || now_ns >= rotation->end_ns;

	rotation->due_bytes = is_over ? n_bytes + LOOK_BYTES : rotation->end_bytes;
	rotation->due_ns = is_over ? now_ns + LOOK_NS : rotation->end_ns;
}

int rotation_new(int fd, uint64_t piece_bytes, uint64_t piece_ns, uint64_t now_ns,
		 struct rotation **ret_rotation)
{
	struct rotation *rotation = calloc(1, sizeof(*rotation));

	if (!rotation) {
		close(fd);
		return -ENOMEM;
	}
	rotation->fd = fd;
	rotation->piece = 1;
	rotation->piece_bytes = piece_bytes;
	rotation->piece_ns = piece_ns;
	begin_piece(rotation, 0, now_ns);
	*ret_rotation = rotation;
	return 0;
}

void rotation_free(struct rotation *rotation)
{
	if (!rotation)
		return;
	closep(&rotation->fd);
	free(rotation);
}

bool rotation_is_due(const struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns)
{
	return n_bytes >= rotation->due_bytes || now_ns >= rotation->due_ns;
}

static int ask(const struct rotation *rotation)
{
	struct json_object *object = json_object_new_object();
	int r;

	json_object_object_add(object, "piece", json_object_new_int64(rotation->piece + 1));
	r = ask_send(rotation->fd, object);
	json_object_put(object);
	return r;
}

/* What is said of a file that was not made. */
static void note_refusal(struct rotation *rotation, const char *answer)
{
	struct json_object *object = json_tokener_parse(answer), *message = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, "message", &message);
	snprintf(rotation->refusal, sizeof(rotation->refusal), "%s",
		 json_object_is_type(message, json_type_string) ? json_object_get_string(message)
								: "the client has made none");
	rotation->n_refused++;
	json_object_put(object);
}

/* A pipe could stall the trace, and what it has been given is no file to keep. */
static bool is_file_to_write(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY &&
	       fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int give_up(struct rotation *rotation)
{
	rotation->is_alone = true;
	rotation->due_bytes = rotation->due_ns = UINT64_MAX;
	return -EAGAIN;
}

/* -EAGAIN: there is none, and rotation_is_due() tells when to look again. */
static int take_answer(struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns)
{
	char answer[ASK_MAX_BYTES];
	int fd = -1;
	ssize_t n;

	n = ask_receive(rotation->fd, 0, answer, &fd);
	if (n == -ETIMEDOUT || n == -EAGAIN) {
		look_later(rotation, n_bytes, now_ns);
		return -EAGAIN;
	}
	if (n < 0)
		return give_up(rotation);
	rotation->is_asked = false;
	begin_piece(rotation, n_bytes, now_ns);
	if (fd >= 0 && is_file_to_write(fd)) {
		__atomic_store_n(&rotation->piece, rotation->piece + 1, __ATOMIC_RELAXED);
		return fd;
	}
	closep(&fd);
	note_refusal(rotation, answer);
	return -EAGAIN;
}

int rotation_next(struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns)
{
	if (rotation->is_alone)
		return -EAGAIN;
	if (!rotation->is_asked) {
		if (ask(rotation) < 0)
			return give_up(rotation);
		rotation->is_asked = true;
		look_later(rotation, n_bytes, now_ns);
		return -EAGAIN;
	}
	return take_answer(rotation, n_bytes, now_ns);
}

unsigned int rotation_piece(const struct rotation *rotation)
{
	return __atomic_load_n(&rotation->piece, __ATOMIC_RELAXED);
}

int rotation_warn(const struct rotation *rotation, struct strings *warnings)
{
	char sentence[400];

	if (rotation->n_refused) {
		snprintf(sentence, sizeof(sentence),
			 "a piece of the trace is longer than it should be: %u times the next one "
			 "could not be begun (%s)",
			 rotation->n_refused, rotation->refusal);
		return strings_add(warnings, sentence);
	}
	if (rotation->is_alone)
		return strings_add(warnings, "a piece of the trace is longer than it should be: "
					     "nobody makes files for it any more");
	return 0;
}
