/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/attach.h - the kernel side of one session: its programs, maps and probes
 *
 * The probes attach disarmed, and attach_arm() lets all of them record at once. When the process that holds it ends,
 * however that may be, the kernel takes everything away. The probes are in probe/attach_probes.h, the processes in scope in
 * probe/attach_scope.h.
 */
#ifndef PERFFLOW_PROBE_ATTACH_H
#define PERFFLOW_PROBE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/binary.h"
#include "perfflow/event.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/why.h"

struct attach;

struct attach_config {
	unsigned int n_rings; /* rounded down to a power of two */
	size_t ring_bytes;    /* of each; a power of two, at least a page */
	uint32_t max_processes;
	bool scope_is_all; /* every process that meets a probe is in scope, */
	const struct binary *program; /* if it runs this one; NULL: any */
	bool has_advices;	/* attach_add_advice() will be called, */
	bool has_items;		/* also with what makes spans and marks carry more than times */
	bool with_sched;	/* each switch and wake-up is sent */
	bool has_budget;	/* functions may be limited: attach_limit(), attach_relinks() */
	uint32_t metrics;	/* a bit for each enum pf_metric that spans carry, */
	bool metrics_by_process; /* but of a process of which attach_set_verdict() says that it does without */
	const struct counter_kind *const *hw; /* perf counters that they carry, PF_MAX_HW at most */
	size_t n_hw;
	const struct attach_user *only; /* NULL: processes of all users */
};

/*
 * Of a session that sees processes of one user alone, as attach_add_process() and attach_link_process() name them, and their
 * children. Nothing of any other is recorded, and no breakpoint put into its memory. Needs FEATURE_MULTI_PID_FILTER.
 */
struct attach_user {
	uid_t uid;
	gid_t gid;
	uint64_t max_records_per_s; /* of all sessions of the user; 0: any number. As many may come at once */
};

/* Loads the programs and attaches the scheduler's and processes' hooks. */
int attach_open(const struct attach_config *config, struct attach **ret_attach, struct why *why);
void attach_close(struct attach *attach); /* detaches; returns when no program of it runs any more */
DEFINE_CLEANUP(struct attach, attach_close)

/* For perf counters: has those go on where a CPU came; says which did not count all the time. */
int attach_renew_counters(struct attach *attach);
int attach_conclude_counters(const struct attach *attach, struct strings *warnings);

/*
 * Who a file is to the kernel. Both are what stat() tells, but on overlayfs and btrfs: `opened` is what it says of programs and
 * mappings, `mapped` what probes go to, which several files can have in common. `mapped` needs Linux 5.17; before it is `opened`.
 */
struct attach_identity {
	struct attach_file_id {
		dev_t dev;
		ino_t ino;
	} opened, mapped;
};
int attach_identify(struct attach *attach, const struct binary *binary, struct attach_identity *ret_identity);

/* Bytes that the kernel keeps for its own rings and maps. */
uint64_t attach_bytes(const struct attach *attach);

void attach_arm(struct attach *attach);

/* Disarms, waits until no probe runs, and has each span that is still open sent to the rings. */
int attach_stop(struct attach *attach);

/* For the pipeline: descriptors of the rings, owned by attach. Those of processes_fd and cpu_clocks_fd are for usage_open(). */
unsigned int attach_n_rings(const struct attach *attach);
int attach_ring_fd(const struct attach *attach, unsigned int ring);
int attach_processes_fd(const struct attach *attach);
int attach_cpu_clocks_fd(const struct attach *attach);
size_t attach_n_cpus(const struct attach *attach);

/* For table_read(): of struct pf_hits_key and struct pf_hits, of struct pf_loss_key and struct pf_loss. */
int attach_hits_fd(const struct attach *attach);
int attach_losses_fd(const struct attach *attach);

/* Sums over all CPUs. May be called from any thread. */
void attach_counters(const struct attach *attach, uint64_t ret_counters[PF_N_COUNTERS]);
/* Runs of the programs that the kernel left out, because one ran already on that CPU. */
uint64_t attach_n_missed_runs(const struct attach *attach);

#endif
