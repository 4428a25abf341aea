/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The whole file is written anew at each beginning and end, under another name first, so that it is
 * never half of one: it is small, as there are few sessions. It is not forced onto the disk: what the
 * machine's own end takes with it is nothing that anybody waits for.
 */
#include "control/cuts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/audit.h"
#include "util/log.h"
#include "util/now.h"

#define FILE_NAME "sessions.json"
#define NEW_NAME  ".sessions.json.new"
#define MAX_BYTES (16 << 20)

struct cuts {
	int folder;		     /* or -1: nothing is kept */
	struct json_object *running; /* arrays of sessions */
	struct json_object *cut;
	uint64_t last_id;
};

static int64_t number_of(struct json_object *object, const char *name)
{
	struct json_object *member = NULL;

	return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, name, &member)
		       ? json_object_get_int64(member)
		       : 0;
}

static int64_t now_us(void)
{
	return clock_now_ns(CLOCK_REALTIME) / 1000;
}

/* Those that are old, and the oldest of too many. */
static void forget(struct json_object *cut)
{
	int64_t oldest_us = now_us() - CUTS_DAYS * 86400LL * 1000000;
	size_t n = json_object_array_length(cut), n_old = 0;

	while (n_old < n && (n - n_old > CUTS_MAX ||
			     number_of(json_object_array_get_idx(cut, n_old), "cut_us") < oldest_us))
		n_old++;
	json_object_array_del_idx(cut, 0, n_old);
}

static int read_all(int fd, struct json_object **ret_object)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > MAX_BYTES)
		return -EFBIG;
	text = calloc(1, st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, st.st_size);
	if (n < 0)
		return -errno;
	*ret_object = json_tokener_parse(text);
	return json_object_is_type(*ret_object, json_type_object) ? 0 : -EBADMSG;
}

/* What an earlier daemon has written, or NULL. */
static struct json_object *read_file(int folder)
{
	struct json_object *object = NULL;
	_cleanup_close_ int fd = openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0 && errno == ENOENT)
		return NULL;
	r = fd < 0 ? -errno : read_all(fd, &object);
	if (r == 0)
		return object;
	json_object_put(object);
	log_error("which sessions were cut is not known: '" FILE_NAME "' cannot be read: %s", strerror(-r));
	return NULL;
}

/* Those of its entries that are sessions. */
static void take_sessions(struct json_object *object, const char *name, struct json_object *sessions)
{
	struct json_object *list = NULL, *session;

	if (!json_object_object_get_ex(object, name, &list) || !json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		session = json_object_array_get_idx(list, i);
		if (number_of(session, "id") > 0)
			json_object_array_add(sessions, json_object_get(session));
	}
}

/* What ran when the file was written runs no more. */
static void cut(struct cuts *cuts, struct json_object *ran)
{
	for (size_t i = 0; i < json_object_array_length(ran); i++) {
		struct json_object *session = json_object_array_get_idx(ran, i);

		json_object_object_add(session, "state", json_object_new_string("cut"));
		json_object_object_add(session, "reason", json_object_new_string("perfflowd ended before it"));
		json_object_object_add(session, "cut_us", json_object_new_int64(now_us()));
		json_object_array_add(cuts->cut, json_object_get(session));
		audit_cut(session);
	}
}

static int write_text(int folder, const char *text)
{
	_cleanup_close_ int fd = openat(folder, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (; size > 0; text += n, size -= (size_t)n) {
		n = write(fd, text, size);
		if (n < 0)
			return -errno;
	}
	return renameat(folder, NEW_NAME, folder, FILE_NAME) < 0 ? -errno : 0;
}

static void save(const struct cuts *cuts)
{
	struct json_object *object;
	const char *text;
	int r = -ENOMEM;

	if (cuts->folder < 0)
		return;
	object = json_object_new_object();
	json_object_object_add(object, "last_id", json_object_new_int64((int64_t)cuts->last_id));
	json_object_object_add(object, "running", json_object_get(cuts->running));
	json_object_object_add(object, "cut", json_object_get(cuts->cut));
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text)
		r = write_text(cuts->folder, text);
	json_object_put(object);
	if (r < 0)
		log_error("what runs cannot be noted in '" FILE_NAME "': %s", strerror(-r));
}

static void load(struct cuts *cuts)
{
	struct json_object *object = read_file(cuts->folder), *ran = json_object_new_array();

	if (object) {
		cuts->last_id = (uint64_t)number_of(object, "last_id");
		take_sessions(object, "cut", cuts->cut);
		take_sessions(object, "running", ran);
		cut(cuts, ran);
		forget(cuts->cut);
		save(cuts);
	}
	json_object_put(ran);
	json_object_put(object);
}

int cuts_new(const char *directory, struct cuts **ret_cuts)
{
	_cleanup_(cuts_freep) struct cuts *cuts = calloc(1, sizeof(*cuts));

	if (!cuts)
		return -ENOMEM;
	cuts->folder = -1;
	cuts->running = json_object_new_array();
	cuts->cut = json_object_new_array();
	if (!cuts->running || !cuts->cut)
		return -ENOMEM;
	if (directory) {
		cuts->folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (cuts->folder < 0)
			log_error("what runs cannot be noted in '%s': %s", directory, strerror(errno));
		else
			load(cuts);
	}
	*ret_cuts = take_ptr(cuts);
	return 0;
}

void cuts_free(struct cuts *cuts)
{
	if (!cuts)
		return;
	closep(&cuts->folder);
	json_object_put(cuts->running);
	json_object_put(cuts->cut);
	free(cuts);
}

void cuts_begin(struct cuts *cuts, struct json_object *session)
{
	if (!session)
		return;
	if ((uint64_t)number_of(session, "id") > cuts->last_id)
		cuts->last_id = (uint64_t)number_of(session, "id");
	json_object_array_add(cuts->running, session);
	save(cuts);
}

void cuts_end(struct cuts *cuts, uint64_t id)
{
	for (size_t i = 0; i < json_object_array_length(cuts->running); i++) {
		if ((uint64_t)number_of(json_object_array_get_idx(cuts->running, i), "id") != id)
			continue;
		json_object_array_del_idx(cuts->running, i, 1);
		save(cuts);
		return;
	}
}

uint64_t cuts_last_id(const struct cuts *cuts)
{
	return cuts->last_id;
}

struct json_object *cuts_list(const struct cuts *cuts)
{
	forget(cuts->cut);
	return cuts->cut;
}

/* Without a uid it is nobody's. */
bool cuts_is_of(struct json_object *list, size_t i, uid_t uid)
{
	struct json_object *session = json_object_array_get_idx(list, i), *member;

	return json_object_object_get_ex(session, "uid", &member) && json_object_is_type(member, json_type_int) &&
	       json_object_get_int64(member) == (int64_t)uid;
}
