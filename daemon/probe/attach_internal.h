/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * probe/attach_internal.h - what the files of attach share
 *
 * They alone, and probe/run_context.c, include the BPF skeleton: no other sees the kernel side's maps and programs.
 */
#ifndef PERFFLOW_PROBE_ATTACH_INTERNAL_H
#define PERFFLOW_PROBE_ATTACH_INTERNAL_H

#include "probe/attach.h"
#include "probe/attach_probes.h"
#include "probe/attach_scope.h"
#include "probe/dispatch.h"
#include "probe/rate.h"
#include "util/hash.h"

#include "perfflow.skel.h" /* last: it is made of types that these define */

struct attach {
	struct perfflow_bpf *bpf;
	bool has_multi, has_session; /* see FEATURE_UPROBE_MULTI, FEATURE_UPROBE_SESSION */
	int *ring_fds; /* owned */
	unsigned int n_rings;
	size_t n_cpus;
	struct pf_cpu *cpus; /* shared with the kernel */
	struct relinks *relinks; /* that have the functions, where these may be limited one by one; or NULL */
	int *links; /* of uprobes, each a descriptor for many */
	size_t n_links;
	struct bpf_link **events; /* the same, each a perf event for one */
	size_t n_events;
	struct links *per_process; /* or NULL: probes are in all processes */
	bool is_per_process;	   /* it is there, or was */
	struct ring_buffer *changes; /* with it */
	attach_change_fn change_fn; /* while they are read */
	void *change_userdata;
	int n_changes_left; /* to be read in one go */
	struct hash advices; /* numbers of those that the kernel side has, by a hash of what they say */
	uint16_t n_advices;
	struct counters *counters;
	struct dispatch *dispatch;
	struct rate *rate; /* or NULL: any number of records may be sent */
};

/* attach_load.c: loads the programs that this kernel has a use for, and fills the maps. */
int attach_load(struct attach *attach, const struct attach_config *config, struct why *why);

/* attach_probes.c */
int attach_open_relinks(struct attach *attach); /* the functions can be limited one by one from then on */
void attach_detach(struct attach *attach);	/* all probes, but those of the relinks */

/* attach_scope.c: of a session that sees one user's processes alone. */
int attach_open_links(struct attach *attach, struct why *why);

#endif
