/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/run_context.h - whether the kernel's own note of which probe a program runs for can be read here */
#ifndef PERFFLOW_PROBE_RUN_CONTEXT_H
#define PERFFLOW_PROBE_RUN_CONTEXT_H

#include <stdbool.h>

struct perfflow_bpf;

/* Of a kernel with session links. Tried once for this process, with a probe on a function of ours, by programs that are loaded. */
bool run_context_is_right(struct perfflow_bpf *bpf);

#endif
