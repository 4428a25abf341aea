/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The reason of a failure travels upwards beside its errno, in a buffer of whoever asked first.
 * Nothing is allocated, since the reason may be that there is no memory; what does not fit is cut
 * off. strerror() is not used: it has one buffer for all threads, and pipelines are threads.
 */
#include "util/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wherever it comes up, what is too low is a limit that others set. */
static const char *errno_text(int r)
{
	const char *text = strerrordesc_np(abs(r));

	if (abs(r) == EMFILE)
		return "as many files as this takes may not be open at once: raise the limit ('ulimit -n', or LimitNOFILE= of the service)";
	if (abs(r) == ENFILE)
		return "as many files as this takes may not be open on this machine: raise the limit (fs.file-max)";
	return text ? text : "unknown error";
}

static void write_sentence(struct why *why, int r, bool with_errno, const char *format,
			   va_list args)
{
	int n;

	n = vsnprintf(why->text, sizeof(why->text), format, args);
	if (n < 0)
		snprintf(why->text, sizeof(why->text), "%s", errno_text(r));
	else if (with_errno && (size_t)n < sizeof(why->text))
		snprintf(why->text + n, sizeof(why->text) - n, ": %s", errno_text(r));
}

int why_set(struct why *why, int r, const char *format, ...)
{
	va_list args;

	if (!why || why->text[0])
		return r;

	va_start(args, format);
	write_sentence(why, r, true, format, args);
	va_end(args);
	return r;
}

int why_say(struct why *why, int r, const char *format, ...)
{
	va_list args;

	if (!why || why->text[0])
		return r;

	va_start(args, format);
	write_sentence(why, r, false, format, args);
	va_end(args);
	return r;
}

const char *why_text(const struct why *why, int r)
{
	return why && why->text[0] ? why->text : errno_text(r);
}
