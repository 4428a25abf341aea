/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/output.h - where a sink's bytes go: a file, a pipe or a terminal, plain or as one gzip
 * member
 *
 * The first error stays: what is written after it is dropped, so that a full disk needs no check
 * per event. A pipe or socket whose reader is gone gives -EPIPE; the process must ignore SIGPIPE,
 * which write(2) on a pipe cannot avoid.
 */
#ifndef PERFFLOW_SINK_OUTPUT_H
#define PERFFLOW_SINK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

struct output;

/*
 * Writes to fd, which the output owns from then on (also if this fails). What a file has that is to be written from its
 * beginning goes with the first write, and not before. Where fd is a pipe or a
 * socket that is full, a write waits until somebody reads, or stop_fd (an eventfd of the caller, or
 * -1) becomes readable: then 2 s at most.
 */
int output_open(int fd, bool compress, int stop_fd, struct output **ret_output);
void output_free(struct output *output); /* closes without output_finish() */
DEFINE_CLEANUP(struct output, output_free)

/* Room for at least n bytes (at most OUTPUT_RESERVE_MAX) of one or several whole lines, valid until
 * the commit. */
#define OUTPUT_RESERVE_MAX 65536
char *output_reserve(struct output *output, size_t n);
void output_commit(struct output *output, size_t n);

/*
 * Hands all whole lines that are buffered to the file. Of compressed output it hands on what the
 * compressor has let out so far: that is complete after output_finish() alone.
 */
int output_flush(struct output *output);

/* The same, as far as it can be done without waiting for a reader: the rest stays buffered. */
int output_flush_some(struct output *output);

/* Flushes, ends the gzip member and closes. Returns the first error of the output's life. */
int output_finish(struct output *output);

/*
 * The same, and goes on in another file, which the output owns from then on (also if this fails):
 * as compressed as the one before, and the bytes count on.
 */
int output_next(struct output *output, int fd);

int output_error(const struct output *output);	      /* the first error, or 0 */
uint64_t output_n_bytes(const struct output *output); /* bytes that went to the file */

#endif
