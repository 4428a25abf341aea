/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * trace/pieces.h - a text of a process, put together from its pieces, which may come in any order,
 * or not at all
 *
 * Only what is known for certain is handed out: a variable, or a part of a path, that begins or
 * ends in a gap is left out.
 */
#ifndef PERFFLOW_TRACE_PIECES_H
#define PERFFLOW_TRACE_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "perfflow/event.h"
#include "util/cleanup.h"

struct pieces;

int pieces_new(struct pieces **ret_pieces);
struct pieces *pieces_share(struct pieces *pieces); /* one owner more; returns pieces */
void pieces_free(struct pieces *pieces);	    /* one owner less */
DEFINE_CLEANUP(struct pieces, pieces_free)

/* -EBADMSG: what reaches beyond PF_MAX_ENVIRONMENT_BYTES, or comes in more than 64 islands; it is
 * not taken. */
int pieces_add(struct pieces *pieces, const struct pf_process_text *text);

/* None is missing from the first to the last. */
bool pieces_have_ended(const struct pieces *pieces);

/* The text went on behind the last one. */
bool pieces_are_cut(const struct pieces *pieces);

/* Walks over an environment: the next "NAME=value", or NULL; start with *cursor 0. Valid until
 * pieces_add(). */
const char *pieces_next_variable(const struct pieces *pieces, size_t *cursor);

/* Its value, or NULL. */
const char *pieces_variable(const struct pieces *pieces, const char *name);

/* A path whose parts were sent last one first: "/usr/bin/sim"; ".../bin/sim" if its beginning is
 * missing. -ENODATA: all is. */
int pieces_path(const struct pieces *pieces, char **ret_path);

#endif
