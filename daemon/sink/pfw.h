/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sink/pfw.h - PerfFlowAspect's files: one for each process, as the process's own PERFFLOW_OPTIONS
 * want it; docs/perfflowaspect.md tells what differs
 *
 * It has no output of its own: whoever starts it makes the files.
 */
#ifndef PERFFLOW_SINK_PFW_H
#define PERFFLOW_SINK_PFW_H

#include <stdbool.h>
#include <stdint.h>

#include "sink/sink.h"
#include "util/why.h"

struct pfw_request {	    /* for a file */
	uint32_t pid, ppid; /* ppid 0: not known */
	bool has_owner;
	uint32_t uid, gid;     /* of the process; if has_owner */
	const char *directory; /* its working directory, or NULL */
	const char *log_dir;   /* where it wants the file: absolute, or from there on */
	const char *name;      /* of the file, without ".pfw" */
	bool name_has_pid;     /* so that no other process of this machine wants the same */
};

struct pfw_start {
	/* Returns a descriptor of a regular file that is empty and open for writing; or a negative
	 * errno, with a sentence in why. */
	int (*open_fn)(void *opaque, const struct pfw_request *request, struct why *why);
	/* Tells the user what is wrong with a process's options or file. */
	void (*warn_fn)(void *opaque, const char *sentence);
	void *opaque;
	/* Whether a program has functions of the session in it, by its file name; NULL: none */
	bool (*is_woven_fn)(const void *woven, const char *file_name);
	const void *woven;
};

extern const struct sink_ops pfw_sink_ops;

/* Whether a process's options ask for the memory that it has at the end of each span, as far as its environment is known. */
bool pfw_may_want_counters(const struct identity *identity);

#endif
