/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/pfw_internal.h - what the files of PerfFlowAspect's format share */
#ifndef PERFFLOW_SINK_PFW_INTERNAL_H
#define PERFFLOW_SINK_PFW_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sink/pfw.h"
#include "sink/pfw_file.h"
#include "sink/pfw_options.h"
#include "trace/identity.h"
#include "util/hash.h"
#include "util/text.h"

#define PFW_SPAN     'X' /* the phase of an item that has a beginning and an end */
#define PFW_NO_FLOW  UINT64_MAX
#define PFW_NO_DEPTH UINT16_MAX

enum pfw_side { PFW_ENTRY, PFW_EXIT, PFW_N_SIDES };

/* A span, or a point in time, that waits in its lane until what is around it is known. */
struct pfw_item {
	char phase;	 /* PFW_SPAN, or that of the point: B, E, b, n, e */
	uint16_t depth;	 /* of a span: open ones beneath, or PFW_NO_DEPTH */
	uint32_t number; /* in the order of their coming */
	uint32_t joinpoint;
	const struct sink_label *label;
	char *name, *category, *scope;	/* owned; NULL: the label's */
	uint64_t start_ns, end_ns;	/* the same of a point */
	uint64_t begin_us;		/* as it is written; set when it is */
	uint64_t oncpu_ns, memory_kib;	/* of a span */
	uint64_t async_id;		/* of b, n and e */
	uint64_t flow_ids[PFW_N_SIDES]; /* or PFW_NO_FLOW */
};

/* Where the beginning of a span goes that is open while those inside of it are written. */
struct pfw_gap {
	bool is_open;
	bool has_room; /* in the file */
	struct pfw_room room;
	uint64_t after_us, before_us; /* of what stands around it */
};

struct pfw_lane { /* of a thread; all zero is empty but for the tid */
	uint32_t tid;
	struct pfw_item *items;
	size_t n_items;
	uint64_t since_ns;    /* when the oldest of them came */
	uint64_t last_us;     /* that was written */
	bool was_begin;	      /* it was a beginning */
	struct pfw_gap *gaps; /* by depth */
	size_t n_gaps;
	struct pfw_async { /* of around_async, the innermost last */
		uint32_t joinpoint;
		uint64_t id;
	} * asyncs;
	size_t n_asyncs;
};

/* What waits for its other end; a queue */
struct pfw_waiting {
	struct pfw_end {
		uint64_t id, time_ns;
		uint64_t scope; /* a hash of its name */
	} * items;
	size_t n_items;
};

struct pfw_process {
	uint32_t pid, ppid;
	bool has_owner;
	uint32_t uid, gid;
	char comm[PF_COMM_BYTES];
	struct pfw_options options;
	bool may_lack_options; /* its environment is not wholly known */
	struct pfw_path {
		uint64_t generation; /* of the program that it is about; 0: none yet */
		char *began_with, *own, *handed_on; /* or NULL */
	} path;
	char *directory, *name;		  /* of the file that it wants */
	char *used_directory, *used_name; /* of the file that it has */
	bool used_object;
	struct pfw_file *file; /* NULL: none yet */
	int error;	       /* there is no file, or it cannot be written */
	uint64_t memory_kib;   /* that was seen last */
	uint64_t n_asyncs, n_flows;
	struct pfw_waiting begins;    /* of before_async */
	struct pfw_waiting outs, ins; /* of flows */
	struct hash lanes;	      /* tid -> struct pfw_lane, owned */
};

struct pfw {
	struct sink sink;
	struct pfw_start start;
	struct clock_snapshot clock;
	char *host;
	struct hash processes; /* pid -> struct pfw_process, owned */
	struct hash told;      /* what was said of options: a set, by hash */
	struct pfw_prefix {
		char *data; /* {"name": "...", "cat": "...", "pid": */
		size_t size;
	} * prefixes; /* by the number of the join point */
	size_t n_prefixes;
	struct text line;
};

/* pfw_path.c */

void pfw_path_done(struct pfw_path *path);
/* The instance path of a program that begins; identity NULL: nothing is known of it. */
int pfw_path_set(struct pfw *pfw, struct pfw_process *process, const struct identity *identity);

/* pfw_lane.c */

/* Takes what the item owns. It is written at once, or when what is around it is known. */
int pfw_lane_add(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane,
		 const struct pfw_item *item, uint64_t now_ns);
/* Writes all that it holds: nothing that is still open has to be waited for. */
int pfw_lane_write(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane);
/* Writes what has waited for long. */
int pfw_lane_age(struct pfw *pfw, struct pfw_process *process, struct pfw_lane *lane,
		 uint64_t now_ns);
void pfw_lane_free(struct pfw_lane *lane);

/* pfw_event.c: what stands in the file, each appended to it */
int pfw_begin(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	      const struct pfw_item *item, uint64_t us, const struct pfw_room *room);
int pfw_end(struct pfw *pfw, struct pfw_process *process, uint32_t tid, const struct pfw_item *item,
	    uint64_t us);
int pfw_point(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	      const struct pfw_item *item, uint64_t us);
int pfw_flow(struct pfw *pfw, struct pfw_process *process, uint32_t tid,
	     const struct pfw_item *item, enum pfw_side side, uint64_t us);
void pfw_free_prefixes(struct pfw *pfw);

/* pfw_pair.c: which of them belong together */
int pfw_pair_async(struct pfw_process *process, struct pfw_lane *lane, struct pfw_item *item,
		   enum pf_moment moment);
int pfw_pair_flows(struct pfw_process *process, struct pfw_item *item, enum pf_moment moment);
char pfw_flow_phase(const struct pfw_item *item, enum pfw_side side); /* s, f; 0: none there */
void pfw_waiting_done(struct pfw_waiting *waiting);

#endif
