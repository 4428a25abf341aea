/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * pieces.c - the files of a trace that goes on in another one
 *
 * The daemon asks for a file before it needs it, so the one that is written and the one before count
 * as one until the end. A file is removed only if it is still the one that was made here: its name
 * may be another's by then. One that was never written is removed at the end.
 */
#include "pieces.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "maker.h"
#include "report.h"
#include "util/cleanup.h"

struct piece {
	unsigned int number; /* 0: none */
	dev_t dev;
	ino_t ino;
};

struct pieces {
	const char *path;
	unsigned int keep;    /* 0: all */
	struct piece *recent; /* the last keep + 1 of them, by their number modulo that */
	struct piece last;
};

int pieces_name(const char *path, unsigned int number, char **ret_name)
{
	const char *file = text_file_name(path), *end = path + strlen(path), *dot;
	size_t size = strlen(file);

	if (size > 3 && strcmp(end - 3, ".gz") == 0)
		end -= 3;
	dot = memrchr(file, '.', end - file);
	if (!dot || dot == file)
		dot = end;
	return asprintf(ret_name, "%.*s.%06u%s", (int)(dot - path), path, number, dot) < 0 ? -ENOMEM : 0;
}

int pieces_open(const char *name, bool *ret_is_new)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	*ret_is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* what is in it goes when something is written */
	return fd < 0 ? -errno : fd;
}

/* Its name where it still stands for that file, or NULL. */
static char *find_name(const struct pieces *pieces, const struct piece *piece, struct stat *ret_st)
{
	char *name;

	if (!piece->number || pieces_name(pieces->path, piece->number, &name) < 0)
		return NULL;
	if (lstat(name, ret_st) == 0 && ret_st->st_dev == piece->dev && ret_st->st_ino == piece->ino)
		return name;
	free(name);
	return NULL;
}

static void remove_piece(const struct pieces *pieces, const struct piece *piece)
{
	struct stat st;
	_cleanup_free_ char *name = find_name(pieces, piece, &st);

	if (name)
		unlink(name);
}

static struct piece *find_place(const struct pieces *pieces, unsigned int number)
{
	return pieces->keep ? &pieces->recent[number % (pieces->keep + 1)] : NULL;
}

static void note_piece(struct pieces *pieces, unsigned int number, int fd)
{
	struct piece *place = find_place(pieces, number);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	pieces->last = (struct piece){number, st.st_dev, st.st_ino};
	if (!place)
		return;
	remove_piece(pieces, place);
	*place = pieces->last;
}

/* {"piece": 2} */
static int make_piece(void *userdata, struct json_object *request, struct json_object *reply)
{
	int64_t number = member_number(request, "piece");
	struct pieces *pieces = userdata;
	_cleanup_free_ char *name = NULL;
	bool is_new;
	int fd;

	(void)reply;
	if (number < 2 || number > UINT32_MAX)
		return -EINVAL;
	fd = pieces_name(pieces->path, (unsigned int)number, &name);
	if (fd < 0)
		return fd;
	fd = pieces_open(name, &is_new);
	if (fd >= 0)
		note_piece(pieces, (unsigned int)number, fd);
	return fd;
}

static void on_end(void *userdata)
{
	struct pieces *pieces = userdata;
	struct stat st;
	_cleanup_free_ char *name = find_name(pieces, &pieces->last, &st);

	if (name && st.st_size == 0 && pieces->last.number > 1)
		unlink(name);
	else if (pieces->keep) /* the place of the next one is that of the oldest */
		remove_piece(pieces, find_place(pieces, pieces->last.number + 1));
}

int pieces_start(const char *path, int first_fd, unsigned int keep, pid_t *ret_pid, int *ret_fd,
		 struct why *why)
{
	struct pieces pieces = {.path = path, .keep = keep};
	const struct maker maker = {
		.name = "perfflow-pieces",
		.make = make_piece,
		.on_end = on_end,
		.userdata = &pieces,
	};
	struct stat st;
	int r;

	if (fstat(first_fd, &st) < 0 || !S_ISREG(st.st_mode))
		return why_say(why, -EINVAL, "'%s' is no plain file: --rotate needs one", path);
	if (keep) {
		pieces.recent = calloc(keep + 1, sizeof(*pieces.recent));
		if (!pieces.recent)
			return -ENOMEM;
	}
	note_piece(&pieces, 1, first_fd);
	r = maker_start(&maker, ret_pid, ret_fd, why);
	free(pieces.recent);
	return r;
}
