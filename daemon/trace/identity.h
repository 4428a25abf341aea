/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * trace/identity.h - who a process is: its program, its user, its container, its job and its rank
 *
 * Built from what the kernel side (or /proc, in the same records) tells of a process, in any order
 * and with pieces missing. What is malformed is left out. All of it is what the process says of
 * itself and can change: good for labels and for choosing what to record, not for deciding who may
 * do what.
 */
#ifndef PERFFLOW_TRACE_IDENTITY_H
#define PERFFLOW_TRACE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "perfflow/event.h"
#include "trace/job.h"
#include "util/cleanup.h"

#define IDENTITY_UNKNOWN JOB_UNKNOWN /* a rank, or a number of ranks */

struct identity {
	uint64_t generation; /* when its program began or was seen first: time_ns of its records */
	uint64_t start_ns;   /* of the process, in whole ticks; 0 unknown */
	uint32_t pid;
	uint32_t ppid; /* 0 unknown */
	uint32_t uid;
	bool has_uid;
	bool is_complete; /* all of its texts have come to their end: no more will be known */
	bool is_partial;  /* something is missing: cut off, or it has not come (yet, or for good) */

	char comm[PF_COMM_BYTES];
	/* the arguments with a blank between; what is longer is cut */
	char command_line[PF_COMMAND_LINE_BYTES + 1];

	/* NULL where unknown; a path whose beginning is unknown begins with ".../" */
	const char *exe;       /* path of the program */
	const char *directory; /* path of its working directory, when its program began or was seen first */
	const char *cgroup;    /* path; "/" is the root */
	const char *container; /* id, or name where the kind of container has no id */
	const char *scheduler; /* "slurm", "flux", "pbs", "lsf", "cobalt", "sge" */
	const char *job, *step;
	/* of MPI, or of the tasks of a job step (job.h); or IDENTITY_UNKNOWN */
	int32_t rank, n_ranks, local_rank;
};

struct identities;

int identities_new(struct identities **ret_identities);
void identities_free(struct identities *identities);
DEFINE_CLEANUP(struct identities, identities_free)

/*
 * Each takes a record, and returns 1 if by it the identity of its process has become complete (or
 * is complete, and has another generation), else 0. A record of an earlier program of the process
 * than the one that is known changes nothing. A fork gives the child all that is known of its
 * parent, until it executes a program; that of a thread changes nothing.
 */
int identities_seen(struct identities *identities, const struct pf_process_seen *seen);
int identities_text(struct identities *identities, const struct pf_process_text *text);
int identities_forked(struct identities *identities, const struct pf_fork *fork);

/*
 * NULL if no record of it has come. What it returns, and all in it, is valid until the next record
 * of this process.
 */
const struct identity *identities_find(struct identities *identities, uint32_t pid);

/* What is known of a process is kept until this. */
void identities_forget(struct identities *identities, uint32_t pid);

/* A variable of the environment that its program began with; NULL if unset, or not known. */
const char *identity_environment(const struct identity *identity, const char *name);

/* Whether all of the environment is known, so that what is not there was not set. */
bool identity_has_whole_environment(const struct identity *identity);

#endif
