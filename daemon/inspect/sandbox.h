/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/sandbox.h - a process gives up all that it has no need of to read what it is handed */
#ifndef PERFFLOW_INSPECT_SANDBOX_H
#define PERFFLOW_INSPECT_SANDBOX_H

#include <stdint.h>

/* More than the longest debug information that is read, and less than what the unit allows the daemon and all that is its. */
#define SANDBOX_MEMORY_BYTES (5ULL << 30)

/*
 * In two steps, neither of which can be gone back; not for processes with several threads. After the first one it is nobody,
 * has no capabilities and no descriptors but the standard ones and keep_fd, and ends when its parent does: it may still ask what
 * anybody may, as for the number of a user.
 */
int sandbox_drop_rights(int keep_fd);

/* After the second one it can use memory, its socket and what comes through that: no opening, executing, connecting, signalling. */
int sandbox_close(void);

#endif
