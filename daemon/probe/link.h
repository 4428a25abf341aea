/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/link.h - a program and many places of one file with one descriptor */
#ifndef PERFFLOW_PROBE_LINK_H
#define PERFFLOW_PROBE_LINK_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* enum bpf_attach_type's BPF_TRACE_UPROBE_MULTI and _SESSION, which the headers of Debian 12 are
 * too old for */
#define LINK_UPROBE_MULTI   ((enum bpf_attach_type)48)
#define LINK_UPROBE_SESSION ((enum bpf_attach_type)57)

struct link_sites {
	const char *path;
	const unsigned long *offsets;
	const uint64_t *cookies; /* or NULL */
	const uint64_t *semaphores; /* offsets of counters in the file, raised while it lasts; 0: none; or NULL */
	size_t n;
	bool are_returns; /* the program runs when the functions that begin there return */
	pid_t pid;	  /* in this process alone; 0: in all */
};

/*
 * Returns a descriptor: the probes are gone when it is closed. Neither this nor link_close() leaves a probe behind in a program when
 * the daemon is killed meanwhile.
 */
int link_open(int program_fd, enum bpf_attach_type type, const struct link_sites *sites);
void link_close(const int *fds, size_t n_fds); /* -1 is none */

/* The same for kernels that have no such links: one perf event for one place. First without a
 * program. */
int link_make_event(const char *path, unsigned long offset, bool is_return);
int link_open_event(int program_fd, const char *path, unsigned long offset, bool is_return);

#endif
