/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* reader/check_pieces.h - whether several traces are the pieces of one, and all of them */
#ifndef PERFFLOW_READER_CHECK_PIECES_H
#define PERFFLOW_READER_CHECK_PIECES_H

#include "reader/check.h"

struct check_pieces {	      /* all zero: none was seen */
	struct check *before; /* the one that was added last; borrowed */
	size_t n;
	enum check_verdict verdict; /* the worst of theirs, and of what they are together */
	struct strings faults;	    /* sentences */
	struct strings missing;
};

void check_pieces_done(struct check_pieces *pieces);

/* Takes the next one, in the order of the trace; it is to stay until the one after it was added. */
int check_pieces_add(struct check_pieces *pieces, const char *path, struct check *check);

/* There are no more. */
int check_pieces_finish(struct check_pieces *pieces);

#endif
