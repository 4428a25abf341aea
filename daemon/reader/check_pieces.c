/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A piece tells its number and when the whole began; its summary, whether another one follows. */
#include "reader/check_pieces.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void check_pieces_done(struct check_pieces *pieces)
{
	strings_done(&pieces->faults);
	strings_done(&pieces->missing);
}

static int add(struct check_pieces *pieces, enum check_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int add(struct check_pieces *pieces, enum check_verdict verdict, const char *format, ...)
{
	va_list arguments;
	int r;

	if (pieces->verdict < verdict)
		pieces->verdict = verdict;
	va_start(arguments, format);
	r = strings_vprintf(verdict == CHECK_BROKEN ? &pieces->faults : &pieces->missing, format, arguments);
	va_end(arguments);
	return r;
}

/* Of the pieces between. */
static int add_gap(struct check_pieces *pieces, uint64_t first, uint64_t last)
{
	if (first == last)
		return add(pieces, CHECK_INCOMPLETE, "piece %" PRIu64, first);
	return add(pieces, CHECK_INCOMPLETE, "pieces %" PRIu64 " to %" PRIu64, first, last);
}

static int compare(struct check_pieces *pieces, const char *path, const struct check *check)
{
	uint64_t number = facts_piece(&check->facts), before = 0;

	if (!number)
		return add(pieces, CHECK_BROKEN, "'%s' does not tell which piece of a trace it is", path);
	if (pieces->before) {
		before = facts_piece(&pieces->before->facts);
		if (!facts_belong_together(&check->facts, &pieces->before->facts))
			return add(pieces, CHECK_BROKEN, "'%s' is a piece of another trace than the one before it",
				   path);
		if (number <= before)
			return add(pieces, CHECK_BROKEN,
				   "'%s' is piece %" PRIu64 ", and stands behind piece %" PRIu64, path, number,
				   before);
	}
	return number > before + 1 ? add_gap(pieces, before + 1, number - 1) : 0;
}

int check_pieces_add(struct check_pieces *pieces, const char *path, struct check *check)
{
	int r = compare(pieces, path, check);

	if (pieces->verdict < check->verdict)
		pieces->verdict = check->verdict;
	pieces->before = check;
	pieces->n++;
	return r;
}

int check_pieces_finish(struct check_pieces *pieces)
{
	struct json_object *summary = pieces->before ? pieces->before->facts.summary : NULL;

	if (strcmp(json_member_text(summary, "reason"), "continued") != 0)
		return 0;
	return add(pieces, CHECK_INCOMPLETE, "the pieces behind number %" PRIu64,
		   facts_piece(&pieces->before->facts));
}
