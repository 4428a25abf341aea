/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Not ini as the configuration is: an aspect may be longer than the lines that inih takes, and there is nothing to set. */
#include "probe/aspect_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#define MAX_BYTES (1 << 20)
#define BLANKS	  " \t\r"

struct reading {
	const char *name;
	struct strings *aspects;
	struct text aspect; /* as far as it was read */
	int line;
};

static int end_aspect(struct reading *reading)
{
	int r = reading->aspect.size ? strings_add(reading->aspects, reading->aspect.data) : 0;

	text_done(&reading->aspect);
	reading->aspect = (struct text){ 0 };
	return r;
}

static int take_line(struct reading *reading, const char *line, size_t size, struct why *why)
{
	bool goes_on = size && strchr(BLANKS, line[0]);
	int r = 0;

	if (memchr(line, '\0', size))
		return why_say(why, -EINVAL, "%s:%d: there is a zero byte", reading->name, reading->line);
	for (; size && strchr(BLANKS, *line); size--)
		line++;
	while (size && strchr(BLANKS, line[size - 1]))
		size--;
	if (size && (*line == '#' || *line == ';'))
		return 0;
	if (goes_on && size && !reading->aspect.size)
		return why_say(why, -EINVAL, "%s:%d: there is no aspect that this line could go on with", reading->name,
			       reading->line);
	if (!goes_on || !size)
		r = end_aspect(reading);
	if (r >= 0 && goes_on && size)
		r = text_append(&reading->aspect, " ", 1);
	return r < 0 ? r : text_append(&reading->aspect, line, size);
}

int aspect_file_parse(const char *name, const char *text, size_t size, struct strings *aspects, struct why *why)
{
	struct reading reading = { .name = name, .aspects = aspects };
	size_t n_before = aspects->n_items;
	int r = 0;

	while (size && r >= 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;

		reading.line++;
		r = take_line(&reading, text, length, why);
		text += length + (end != NULL);
		size -= length + (end != NULL);
	}
	if (r >= 0)
		r = end_aspect(&reading);
	text_done(&reading.aspect);
	if (r >= 0 && aspects->n_items == n_before)
		return why_say(why, -EINVAL, "there is no aspect in '%s'", name);
	return r;
}

static int read_text(int fd, struct text *text)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		int r = text->size + n > MAX_BYTES ? -EFBIG : text_append(text, buffer, n);

		if (r < 0)
			return r;
	}
	return n < 0 ? -errno : 0;
}

int aspect_file_read(const char *file, struct strings *aspects, struct why *why)
{
	_cleanup_(text_done) struct text text = { 0 };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), strchr(file, '/') ? "%s" : ASPECT_FILE_FOLDER "/%s.aspect", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, -errno, "cannot open '%s'", path);
	r = read_text(fd, &text);
	if (r < 0)
		return why_set(why, r, "cannot read '%s'", path);
	return aspect_file_parse(path, text.data ? text.data : "", text.size, aspects, why);
}
