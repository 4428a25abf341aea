/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share among them and with the daemon. Weak, so that each .bpf.c may hold the definition and the
 * linker keeps one. Sizes marked "set before load" are the daemon's choice.
 */
#ifndef PERFFLOW_MAPS_BPF_H
#define PERFFLOW_MAPS_BPF_H

#include "thread.bpf.h"
#include "cpu.h"

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

/* The processes in scope, by pid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_process);
} processes __weak SEC(".maps");

/* One for each possible CPU; the daemon reads it through a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_cpu);
} cpus __weak SEC(".maps");

/* Settings, constant once loaded. */
const volatile __u32 ring_mask __weak = 0;	/* number of rings - 1; that number is a power of two */
const volatile __u64 wakeup_bytes __weak = 0;	/* the consumer is woken when a ring holds more */
const volatile __u32 scope_is_all __weak = 0;	/* every process that meets a probe is in scope */
const volatile __u64 scope_exe_ino __weak = 0; /* with it: only those that run this program; 0: all */
const volatile __u32 scope_exe_dev __weak = 0;

/* One store by the daemon arms all probes of the session. */
__u32 is_armed __weak = 0;

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

#endif
