/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * reader/input.h - the bytes of a file or pipe, unpacked if they are compressed with gzip
 *
 * What is cut off or damaged ends where it has to: the bytes before come out, and input_damage()
 * says what is wrong.
 */
#ifndef PERFFLOW_READER_INPUT_H
#define PERFFLOW_READER_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/cleanup.h"
#include "util/why.h"

struct input;

/* "-" is the standard input. */
int input_open(const char *path, struct input **ret_input, struct why *why);
void input_free(struct input *input);
DEFINE_CLEANUP(struct input, input_free)

/* Reads at most size bytes: how many, 0 at the end, or a negative errno. */
ssize_t input_read(struct input *input, void *buffer, size_t size, struct why *why);

/* What is wrong with what was read so far, as a sentence; NULL: nothing. */
const char *input_damage(const struct input *input);

const char *input_name(const struct input *input); /* for messages */

#endif
