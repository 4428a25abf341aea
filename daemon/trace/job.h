/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* trace/job.h - what the environment and the cgroup of a process tell: its container, its job and
 * its rank */
#ifndef PERFFLOW_TRACE_JOB_H
#define PERFFLOW_TRACE_JOB_H

#include <stdint.h>

#include "trace/pieces.h"

#define JOB_UNKNOWN (-1)

struct job {
	const char *scheduler;		   /* "slurm", ...; a constant, or NULL */
	char id[64], step[32];		   /* "" if unknown */
	char container[128];		   /* "" if in none */
	int32_t rank, n_ranks, local_rank; /* or JOB_UNKNOWN */
};

/*
 * environment and cgroup may be NULL. What is malformed counts as not there.
 *
 * The innermost job counts: of Flux, which runs inside of the others' jobs; of Slurm, by the
 * cgroup, which the process cannot change, then by the environment; then of PBS, LSF, Cobalt and
 * SGE.
 *
 * A rank is what the launcher of MPI says that started the process: Open MPI, MVAPICH2, PMI (MPICH,
 * Intel MPI, Cray MPICH), PALS, jsrun, PMIx; then the rank of a Flux task; then that of a task of a
 * Slurm job step (a batch script is none). Those later in this order may be left over from the
 * launcher around the launcher, so the first one counts, and the ones behind it only fill in what
 * it does not say, where they agree with it.
 */
void job_read(const struct pieces *environment, const char *cgroup, struct job *ret_job);

#endif
