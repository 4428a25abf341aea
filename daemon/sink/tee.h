/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/tee.h - two sinks in place of one */
#ifndef PERFFLOW_SINK_TEE_H
#define PERFFLOW_SINK_TEE_H

#include "sink/sink.h"

/*
 * Everything goes to the first and then to the second. Both are owned from then on, also on
 * failure. What one of them could not take counts as not written, once.
 */
int tee_new(struct sink *first, struct sink *second, struct sink **ret_tee);

#endif
