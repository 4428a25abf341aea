/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A message is one line and one write(2), so that those of several threads do not mix. Where stderr
 * is the journal's own stream (JOURNAL_STREAM names its device and inode, see sd-daemon(3)) the
 * line begins with the level as "<N>". sd_journal_print() was decided against: it would bring
 * libsystemd to the lowest floor for the same effect.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum log_level max_level = LOG_LEVEL_INFO;
static bool to_journal;

static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 ||
	    fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_init(enum log_level level)
{
	max_level = level;
	to_journal = stderr_is_journal();
}

bool log_is_journal(void)
{
	return to_journal;
}

/* Names come from outside: a newline in one must not begin a line that looks like a message of
 * ours. */
static void hide_control_characters(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[2048];
	size_t room = sizeof(line) - 1; /* for the newline */
	size_t start = 0, size;
	va_list args;
	int n;

	if (level > max_level)
		return;
	/* the journal knows the level by its prefix, and the name by itself */
	start = to_journal ? snprintf(line, room, "<%d>", level) : snprintf(line, room, "perfflowd: ");

	va_start(args, format);
	n = vsnprintf(line + start, room - start, format, args);
	va_end(args);
	if (n < 0)
		return;

	size = start + n < room ? start + n : room - 1;
	hide_control_characters(line + start, size - start);
	line[size++] = '\n';
	/* a log that cannot be written has nobody left to tell */
	if (write(STDERR_FILENO, line, size) < 0)
		return;
}
