/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe.h - what the static probes of this library share */
#ifndef PERFFLOW_PYTHON_PROBE_H
#define PERFFLOW_PYTHON_PROBE_H

#define EXPORT __attribute__((visibility("default")))

#define SEMAPHORE(provider, probe)                                                                 \
	volatile unsigned short provider##_##probe##_semaphore                                     \
		__attribute__((visibility("hidden")))

/* The kernel cannot read what is not in memory yet. */
#define TOUCH(string) ((void)((string) && *(const volatile char *)(string)))

#endif
