/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/background.h - lets go of what the kernel takes long to take away, without waiting for it
 */
#ifndef PERFFLOW_PROBE_BACKGROUND_H
#define PERFFLOW_PROBE_BACKGROUND_H

#include <stddef.h>

/*
 * Has a process of its own hold copies of the descriptors until the caller has closed its own and
 * then the one that is returned: what they stand for goes away there, and our closing them takes no
 * time.
 */
int background_hold(const int *fds, size_t n_fds);

#endif
