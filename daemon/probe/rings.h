/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/rings.h - reads the ring buffers of one session; for the pipeline's thread */
#ifndef PERFFLOW_PROBE_RINGS_H
#define PERFFLOW_PROBE_RINGS_H

#include <stddef.h>

#include "probe/attach.h"

struct rings;

/* Takes one record; the bytes are the ring's own, and gone when it returns. */
typedef void (*rings_record_fn)(unsigned int ring, const void *data, size_t size, void *userdata);

int rings_open(const struct attach *attach, rings_record_fn record_fn, void *userdata, struct rings **ret_rings);
void rings_close(struct rings *rings);
DEFINE_CLEANUP(struct rings, rings_close)

/* Readable when a ring is part full. */
int rings_fd(const struct rings *rings);

/*
 * Hands over what the rings hold, but at most so many records of each that a ring which fills as fast as it is read does
 * not keep the caller for ever. Returns 1 if more may be waiting, else 0.
 */
int rings_consume(struct rings *rings);

#endif
