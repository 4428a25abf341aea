/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/rotation.h - when a trace goes on in another file, and where that comes from
 *
 * The client makes the files, as it made the first: the daemon opens none. It is asked when one is
 * due, and until it has answered the trace goes on in the file that it has: nothing waits. The
 * messages are in include/perfflow/io.perfflow.varlink.
 */
#ifndef PERFFLOW_SESSION_ROTATION_H
#define PERFFLOW_SESSION_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/clock.h"
#include "util/cleanup.h"
#include "util/text.h"

struct rotation;

#define ROTATION_MIN_BYTES (64 * 1024)
#define ROTATION_MIN_MS	   1000

/*
 * A connected socket of Unix, of type SEQPACKET, at whose other end files are made; owned from then
 * on, also on failure. A piece is to be followed once it has that many bytes or that age; 0: that
 * one does not matter. All that follows is the pipeline's thread's.
 */
int rotation_new(int fd, uint64_t piece_bytes, uint64_t piece_ns, uint64_t now_ns,
		 struct rotation **ret_rotation);
void rotation_free(struct rotation *rotation);
DEFINE_CLEANUP(struct rotation, rotation_free)

/* Whether it is worth while to ask rotation_next(): n_bytes is of all pieces so far. */
bool rotation_is_due(const struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns);

/* The file of the next piece, which is the caller's from then on; -EAGAIN: not yet, or never. */
int rotation_next(struct rotation *rotation, uint64_t n_bytes, uint64_t now_ns);

/* The piece that is written; any thread may ask. */
unsigned int rotation_piece(const struct rotation *rotation);

/* What the user should know, as far as it is known. */
int rotation_warn(const struct rotation *rotation, struct strings *warnings);

/* The narrowest of a few readings of one clock between two of the other. */
struct clock_snapshot rotation_take_snapshot(void);

#endif
