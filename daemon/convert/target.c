/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Of a folder's files only one is open at a time, so there may be as many as there are threads. */
#include "convert/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/output.h"

struct target {
	char *path; /* of the file or folder; NULL: standard output */
	bool is_folder;
	const char *const *inputs; /* what is read; borrowed */
	struct output *output; /* of the file that was begun, or NULL */
	char *name;	       /* its path, or NULL */
	bool is_new;
	bool keeps_files;
};

static bool is_folder(const char *path)
{
	struct stat st;
	size_t size = strlen(path);

	return (size > 0 && path[size - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static bool is_what_is_read(const struct target *target, const char *path)
{
	struct stat st, input;

	if (stat(path, &st) < 0)
		return false;
	for (size_t i = 0; target->inputs[i]; i++) {
		int r = strcmp(target->inputs[i], "-") == 0 ? fstat(STDIN_FILENO, &input)
							    : stat(target->inputs[i], &input);

		if (r == 0 && S_ISREG(input.st_mode) && st.st_dev == input.st_dev && st.st_ino == input.st_ino)
			return true;
	}
	return false;
}

static int prepare(struct target *target, struct why *why)
{
	if (!target->is_folder && is_what_is_read(target, target->path))
		return why_say(why, -EEXIST, "'%s' is the trace itself: name another output",
			       target->path);
	if (target->is_folder && mkdir(target->path, 0777) < 0 && errno != EEXIST)
		return why_set(why, -errno, "cannot make the folder '%s'", target->path);
	return 0;
}

int target_new(const char *path, const char *const *inputs, struct target **ret_target,
	       struct why *why)
{
	_cleanup_(target_freep) struct target *target = calloc(1, sizeof(*target));
	int r;

	if (!target)
		return -ENOMEM;
	target->inputs = inputs;
	if (path && strcmp(path, "-") != 0) {
		target->is_folder = is_folder(path);
		target->path = strdup(path);
		if (!target->path)
			return -ENOMEM;
		r = prepare(target, why);
		if (r < 0)
			return r;
	}
	*ret_target = take_ptr(target);
	return 0;
}

void target_free(struct target *target)
{
	if (!target)
		return;
	if (target->output && target->is_new)
		unlink(target->name);
	output_free(target->output);
	free(target->name);
	free(target->path);
	free(target);
}

void target_keep_files(struct target *target)
{
	target->keeps_files = true;
}

bool target_is_folder(const struct target *target)
{
	return target->is_folder;
}

static const char *shown_name(const struct target *target)
{
	return target->name ? target->name : "standard output";
}

static int open_file(struct target *target, const char *name, struct why *why)
{
	int fd;

	if (!target->path) {
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? why_set(why, -errno, "cannot use the standard output") : fd;
	}
	if (asprintf(&target->name, target->is_folder ? "%s/%s" : "%s", target->path, name) < 0) {
		target->name = NULL;
		return -ENOMEM;
	}
	if (is_what_is_read(target, target->name))
		return why_say(why, -EEXIST, "'%s' is the trace itself: name another output",
			       target->name);

	fd = open(target->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	target->is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST && !target->keeps_files)
		fd = open(target->name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	return fd < 0 ? why_set(why, -errno, "cannot open '%s' for writing", target->name) : fd;
}

static bool is_compressed(const char *path)
{
	size_t size = path ? strlen(path) : 0;

	return size > 3 && strcmp(path + size - 3, ".gz") == 0;
}

int target_begin(struct target *target, const char *name, struct why *why)
{
	int fd, r;

	r = target_end(target, why);
	if (r < 0)
		return r;
	fd = open_file(target, name, why);
	if (fd < 0)
		return fd;
	return output_open(fd, is_compressed(target->name), -1, &target->output);
}

int target_write(struct target *target, const struct text *text, struct why *why)
{
	size_t n;
	int r;

	for (size_t i = 0; i < text->size; i += n) {
		n = text->size - i < OUTPUT_RESERVE_MAX ? text->size - i : OUTPUT_RESERVE_MAX;
		memcpy(output_reserve(target->output, n), text->data + i, n);
		output_commit(target->output, n);
	}
	r = output_error(target->output);
	return r < 0 ? why_set(why, r, "cannot write '%s'", shown_name(target)) : 0;
}

int target_end(struct target *target, struct why *why)
{
	int r;

	if (!target->output)
		return 0;
	r = output_finish(target->output);
	if (r < 0)
		return why_set(why, r, "cannot write '%s'", shown_name(target));
	output_free(take_ptr(target->output));
	free(take_ptr(target->name));
	return 0;
}
