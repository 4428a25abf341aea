/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/symbolizer.h - from an address of a process to the function that it is in
 *
 * It hears of all that processes map from the moment it is made, so that it can tell of one that
 * has ended since. Once the pipeline's thread runs, it belongs to that.
 */
#ifndef PERFFLOW_SESSION_SYMBOLIZER_H
#define PERFFLOW_SESSION_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/rights.h"
#include "util/cleanup.h"
#include "util/text.h"

struct symbolizer;

/*
 * rights (copied; or NULL): those whose files it may look into. read_s: how long reading one of them may take; 0:
 * INSPECTOR_LIMIT_S.
 */
int symbolizer_new(const struct rights *rights, unsigned int read_s, struct symbolizer **ret_symbolizer);
void symbolizer_free(struct symbolizer *symbolizer);
DEFINE_CLEANUP(struct symbolizer, symbolizer_free)

/* Looks at what a process that was there before has mapped; or all of them. Those that nobody may
 * look at are passed over. */
int symbolizer_add(struct symbolizer *symbolizer, pid_t pid);
int symbolizer_add_all(struct symbolizer *symbolizer);

/* Takes what processes have mapped until now; to be called every now and then, whether there are
 * stacks or not. */
void symbolizer_update(struct symbolizer *symbolizer);

/* Has the files read, in the background, that these addresses are in: they will be asked for. */
void symbolizer_prepare(struct symbolizer *symbolizer, uint32_t pid, uint64_t time_ns,
			const uint64_t *addresses, size_t n_addresses);

/* Whether that is done, so that symbolizing need not wait nor do without; and waiting for it, but
 * not for ever. */
bool symbolizer_is_ready(struct symbolizer *symbolizer);
void symbolizer_wait(struct symbolizer *symbolizer);

/* As sink_symbolize_fn wants it, for the address behind a call: "solve+0x1c (libsolve.so.1)". */
int symbolizer_symbolize(void *symbolizer, uint32_t pid, uint64_t time_ns, uint64_t address,
			 struct text *ret_text);

/* Adds a sentence where it could not hear of everything, or read it. */
int symbolizer_warn(const struct symbolizer *symbolizer, struct strings *warnings);

#endif
