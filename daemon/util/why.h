/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/why.h - the reason of a failure, as a sentence for the user */
#ifndef PERFFLOW_UTIL_WHY_H
#define PERFFLOW_UTIL_WHY_H

struct why {
	char text[1024]; /* empty until somebody knows the reason */
};

/*
 * Writes the sentence (no full stop, no newline) and returns r, so that `return why_set(...)` reads well.
 * A failure of the system (r is an errno that the sentence does not explain) is appended as ": No such file".
 * The first reason wins: whoever is nearest to the fault knows best. why may be NULL.
 */
int why_set(struct why *why, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same without the text of the errno, where the sentence says it all. */
int why_say(struct why *why, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The sentence, or what strerror() knows of r where nobody wrote one. */
const char *why_text(const struct why *why, int r);

#endif
