/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share among them and with the daemon. Weak, so that each .bpf.c may hold the definition and the
 * linker keeps one. Sizes marked "set before load" are the daemon's choice.
 */
#ifndef PERFFLOW_MAPS_BPF_H
#define PERFFLOW_MAPS_BPF_H

#include "thread.bpf.h"
#include "dispatch.bpf.h"
#include "perfflow/change.h"

struct pf_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* Records for the pipeline, sharded by CPU: one ring slows down where many CPUs write to it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__array(values, struct pf_ring);
} rings __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct pf_thread);
} threads __weak SEC(".maps");

/* Of some threads the state is in a place here: see place.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_thread);
} places __weak SEC(".maps");

/* Numbers of places that no thread has. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1); /* set before load */
	__type(value, __u32);
} free_places __weak SEC(".maps");

/* The processes in scope, by pid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_process);
} processes __weak SEC(".maps");

/* What the daemon found of a process, by pid: which of the session's atoms hold. Void once the process runs another program. */
struct pf_verdict {
	__u64 generation; /* as in struct pf_process */
	__u32 atoms;
	__u32 without_metrics; /* nobody wants those of its calls */
};

struct { /* one that is forgotten is decided on by the daemon again */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_verdict);
} verdicts __weak SEC(".maps");

/* By the number in the cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65535);
	__type(key, __u32);
	__type(value, struct pf_advice);
} advices __weak SEC(".maps");

/* Perf counters, by which of them * n_cpus + CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, __u32);
} hw_counters __weak SEC(".maps");

/* What the perf counters of each CPU showed at its last switch. */
struct pf_hw_base {
	__s64 counts[PF_MAX_HW];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_hw_base);
} hw_bases __weak SEC(".maps");

/* One for each possible CPU; the daemon reads it through a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_cpu);
} cpus __weak SEC(".maps");

/* For sessions of one user: what the daemon has to hear of at once. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set before load */
} changes __weak SEC(".maps");

/* What is lost or left out, by reason, function and process. Where it is full, by reason alone: the daemon has put these in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct pf_loss_key);
	__type(value, struct pf_loss);
} losses __weak SEC(".maps");

/* How often probes are hit, by function and thread: see hits.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, struct pf_hits_key);
	__type(value, struct pf_hits);
} hits __weak SEC(".maps");

/* By the number of the join point. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_limit);
} limits __weak SEC(".maps");

/* Up to when the share of records is taken that the sessions of a user have together: they share this map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} records_until_ns __weak SEC(".maps");

/* What a new one begins with. */
const volatile struct pf_loss no_loss __weak = { 0 };
const volatile struct pf_hits no_hits __weak = { 0 };

/* Settings, constant once loaded. */
const volatile __u32 ring_mask __weak = 0;	/* number of rings - 1; that number is a power of two */
const volatile __u64 wakeup_bytes __weak = 0;	/* the consumer is woken when a ring holds more */
const volatile __u32 scope_is_all __weak = 0;	/* every process that meets a probe is in scope */
const volatile __u32 page_bytes __weak = 4096;
const volatile __u32 n_cpus __weak = 1;	       /* possible ones */
const volatile __u32 metrics_mask __weak = 0;  /* a bit for each enum pf_metric that spans carry */
const volatile __u32 metrics_by_process __weak = 0; /* those of some processes alone: their verdicts tell */
const volatile __u32 n_hw __weak = 0;	       /* perf counters */
const volatile __u32 has_advices __weak = 0;   /* some function has more to it than a plain span */
const volatile __u32 session_bit __weak = 0;   /* its bit among those of the dispatcher */
const volatile __u32 tells_next __weak = 0;    /* its hook is called by the dispatcher, and not attached */
const volatile __u32 with_sched __weak = 0;    /* each switch of a CPU is sent, and each wake-up in scope */

const volatile __u32 has_places __weak = 0;    /* some threads have one */
const volatile __u32 has_budget __weak = 0;    /* functions may be limited, and links replaced */

/* With has_budget: whether `limits` has anything in it, and what is replaced. */
__u32 is_limiting __weak = 0;
struct pf_relink relink __weak = { 0 };

const volatile __u32 only_one_user __weak = 0; /* only processes that are this user's own: see user.bpf.h */
const volatile __u32 only_uid __weak = 0, only_gid __weak = 0;
const volatile __u64 record_ns __weak = 0;     /* that each record takes of its user's share; 0: as many may be sent as there are */
const volatile __u64 record_burst_ns __weak = 0; /* and the share that may be taken in advance */

/* What found no room in `changes`. */
__u64 n_changes_lost __weak = 0;

/* With scope_is_all: only those that run this program; 0: all. Set before the first probe is attached. */
__u64 scope_exe_ino __weak = 0;
__u32 scope_exe_dev __weak = 0;

/* One store by the daemon arms all probes of the session. */
__u32 is_armed __weak = 0;

/* How a probe's program finds out what it runs for: see run_context(). Set before the first probe is attached. */
__u32 reads_run_context __weak = 0;

static __always_inline struct pf_cpu *this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &cpu);
}

static __always_inline __u64 count(enum pf_counter counter)
{
	struct pf_cpu *cpu = this_cpu();

	return cpu ? __sync_fetch_and_add(&cpu->counters[counter], 1) : 0;
}

/* Counts what is lost or left out, also by whose it was. Not inlined, for the stack of who calls it. */
__weak __noinline int lose(__u32 counter, __u32 joinpoint, __u32 pid)
{
	struct pf_loss_key key = { .counter = counter, .joinpoint = joinpoint, .pid = pid };
	struct pf_loss *loss;

	if (counter >= PF_N_COUNTERS)
		return 0;
	count(counter);
	loss = bpf_map_lookup_elem(&losses, &key);
	if (!loss) {
		bpf_map_update_elem(&losses, &key, (const void *)&no_loss, BPF_NOEXIST);
		loss = bpf_map_lookup_elem(&losses, &key);
	}
	if (!loss) {
		key.joinpoint = key.pid = 0;
		loss = bpf_map_lookup_elem(&losses, &key);
	}
	if (!loss)
		return 0;
	loss->last_ns = bpf_ktime_get_boot_ns();
	if (!loss->first_ns)
		loss->first_ns = loss->last_ns;
	__sync_fetch_and_add(&loss->n, 1);
	return 0;
}

#endif
