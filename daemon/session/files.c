/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * One question at a time: what is written next waits for the file anyway. A client that does not
 * answer within some seconds (it was stopped, its file system hangs) is not asked again: the
 * session must go on.
 */
#include "session/files.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/ask.h"

#define ANSWER_MS    10000
#define MAX_WARNINGS 32

struct files {
	int fd;
	int error;	  /* why nobody is asked any more, or 0 */
	uint64_t n_files; /* atomic */
	struct strings warnings;
};

int files_new(int fd, struct files **ret_files)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files) {
		close(fd);
		return -ENOMEM;
	}
	files->fd = fd;
	*ret_files = files;
	return 0;
}

void files_free(struct files *files)
{
	if (!files)
		return;
	closep(&files->fd);
	strings_done(&files->warnings);
	free(files);
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
	if (text)
		json_object_object_add(object, name, json_object_new_string(text));
}

static struct json_object *describe(const struct pfw_request *request)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "pid", json_object_new_int64(request->pid));
	if (request->ppid)
		json_object_object_add(object, "ppid", json_object_new_int64(request->ppid));
	if (request->has_owner) {
		json_object_object_add(object, "uid", json_object_new_int64(request->uid));
		json_object_object_add(object, "gid", json_object_new_int64(request->gid));
	}
	add_text(object, "directory", request->directory);
	add_text(object, "log_dir", request->log_dir);
	add_text(object, "name", request->name);
	json_object_object_add(object, "name_has_pid",
			       json_object_new_boolean(request->name_has_pid));
	return object;
}

static int ask(struct files *files, const struct pfw_request *request)
{
	struct json_object *object = describe(request);
	int r = ask_send(files->fd, object);

	json_object_put(object);
	return r;
}

static const char *text_member(struct json_object *object, const char *name)
{
	struct json_object *member = NULL;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, name, &member))
		return NULL;
	return json_object_is_type(member, json_type_string) ? json_object_get_string(member)
							     : NULL;
}

/* Without a descriptor the answer says why. */
static int take_answer(struct files *files, const char *answer, int fd, struct why *why)
{
	struct json_object *object = json_tokener_parse(answer);
	const char *note = text_member(object, "note"), *message = text_member(object, "message");
	int r = fd;

	if (note)
		files_warn(files, note);
	if (fd < 0)
		r = why_say(why, -EIO, "%s", message ?: "the client has made none");
	json_object_put(object);
	return r;
}

static int give_up(struct files *files, int error, struct why *why)
{
	files->error = error;
	return error == -ETIMEDOUT ? why_say(why, error, "the client does not answer")
				   : why_say(why, error, "the client has gone");
}

int files_open(void *opaque, const struct pfw_request *request, struct why *why)
{
	char answer[ASK_MAX_BYTES];
	struct files *files = opaque;
	int fd = -1, r;
	ssize_t n;

	if (files->error)
		return give_up(files, files->error, why);
	r = ask(files, request);
	n = r < 0 ? r : ask_receive(files->fd, ANSWER_MS, answer, &fd);
	if (n == -ENOMEM)
		return n;
	if (n < 0)
		return give_up(files, n, why);
	r = take_answer(files, answer, fd, why);
	if (r >= 0)
		__atomic_store_n(&files->n_files, files->n_files + 1, __ATOMIC_RELAXED);
	return r;
}

void files_warn(void *opaque, const char *sentence)
{
	struct files *files = opaque;

	if (files->warnings.n_items < MAX_WARNINGS && !strings_contain(&files->warnings, sentence))
		strings_add(&files->warnings, sentence); /* without memory it stays unsaid */
}

uint64_t files_count(const struct files *files)
{
	return __atomic_load_n(&files->n_files, __ATOMIC_RELAXED);
}

const struct strings *files_warnings(const struct files *files)
{
	return &files->warnings;
}
