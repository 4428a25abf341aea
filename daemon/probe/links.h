/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/links.h - the probes of a session that may touch some processes alone: a set of links for each of them
 *
 * A link is for one process: the kernel puts breakpoints into the memory of that one only. What is probed is kept, so that
 * processes which come later get it too.
 */
#ifndef PERFFLOW_PROBE_LINKS_H
#define PERFFLOW_PROBE_LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/link.h"
#include "util/cleanup.h"

struct links;

/*
 * Whether a process may have its links, asked after they were made: one that has become somebody else's meanwhile loses them
 * again.
 */
typedef bool (*links_admits_fn)(pid_t pid, void *userdata);

int links_new(links_admits_fn admits_fn, void *userdata, struct links **ret_links);
void links_free(struct links *links);
DEFINE_CLEANUP(struct links, links_free)

/*
 * Probes places of a file in all processes, and in those that come. What sites point to is copied, and the file is held open.
 * -EDQUOT: it would take more than links_allow() allows, or too many descriptors. On failure it is probed nowhere.
 */
int links_add_sites(struct links *links, int program_fd, enum bpf_attach_type type, int file_fd,
		    const struct link_sites *sites);

/* For undoing: how many times places were added; and takes those away that were added after so many. */
size_t links_n_sites(const struct links *links);
void links_remove_sites(struct links *links, size_t n_sites);

/* Takes those away that were added as the number-th, from 0: the others keep their numbers. Harmless if they are gone. */
void links_take_out(struct links *links, size_t number);

/* -ESRCH: it is gone, or may not have them; -EDQUOT as above. Harmless for one that has them. */
int links_add_process(struct links *links, pid_t pid);
bool links_have_process(const struct links *links, pid_t pid);

int links_pids(const struct links *links, pid_t **ret_pids, size_t *ret_n); /* of all: an array of the caller's */

/* Its breakpoints are gone on return. */
void links_remove_process(struct links *links, pid_t pid);

/* The same of one that has ended, but its links wait for links_sweep(), since closing them takes long and frees nobody. */
void links_forget_process(struct links *links, pid_t pid);
size_t links_n_forgotten(const struct links *links);
void links_sweep(struct links *links);

/* Bytes that the kernel may need for all of them, 0: any number; and about how many it needs. */
void links_allow(struct links *links, uint64_t max_bytes);
uint64_t links_bytes(const struct links *links);

#endif
