/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/relink.h - links whose functions can be taken away and put back one by one
 *
 * A group has the functions of one attach_joinpoints(), with a link for each side of them: entries, returns, exit sites. A
 * function that is taken away leaves the group's links and has links of its own from then on. What a link is, and in which
 * processes, is for others to know.
 */
#ifndef PERFFLOW_PROBE_RELINK_H
#define PERFFLOW_PROBE_RELINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "probe/link.h"
#include "util/cleanup.h"

struct relinks;

struct relink_ops {
	/* Returns a number for it, or a negative errno. The sites have no path: the file is open. */
	int (*open)(int program_fd, int file_fd, const struct link_sites *sites, void *userdata);
	void (*close)(int link, void *userdata); /* its probes are gone on return */
};

/* window is the kernel side's, which is told what is under way. */
int relinks_new(struct pf_relink *window, const struct relink_ops *ops, void *userdata, struct relinks **ret_relinks);
void relinks_free(struct relinks *relinks); /* all links are closed */
DEFINE_CLEANUP(struct relinks, relinks_free)

/* A new group of functions of a file, numbered from first on. The descriptor is duplicated. */
int relinks_begin(struct relinks *relinks, int file_fd, uint32_t first, size_t n);
/* Forgets the newest one, and closes its links. */
void relinks_drop(struct relinks *relinks);

/*
 * Opens the link of one side of the newest group. The sites are copied, but their path, which is the file's. Each one's
 * function is the low half of its cookie. Entries come last.
 */
int relinks_add(struct relinks *relinks, int program_fd, const struct link_sites *sites, bool are_entries);

/*
 * Takes the probes of functions away: when it returns none of them is hit any more. What the kernel side is to do with calls
 * until then is for the caller to say.
 */
int relinks_take_away(struct relinks *relinks, const uint32_t *joinpoints, size_t n);

/* Puts those of a function back. With entries_only it is a trial, which relinks_take_away() ends. */
int relinks_put_back(struct relinks *relinks, uint32_t joinpoint, bool entries_only);

#endif
