/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that the kernel keeps of a thread and of its memory
 *
 * Perf counters count for a CPU: what a thread had of them is summed up from switch to switch, as its clocks are.
 */
#ifndef PERFFLOW_METRICS_BPF_H
#define PERFFLOW_METRICS_BPF_H

#include "maps.bpf.h"

#define MAX_CPUS 1024

#define has_metric(metric) (metrics_mask & 1U << (metric))

/* 0 where that is not known. */
static __always_inline unsigned long per_cpu_offset(__u32 cpu)
{
	const struct pf_cpu *known = bpf_map_lookup_elem(&cpus, &cpu);

	return known ? known->per_cpu_offset : 0;
}

/* The kernel counts pages for each CPU apart, and adds them up now and then. */
static __always_inline __s64 percpu_counter_sum(const struct percpu_counter *counter)
{
	__s32 *counters = BPF_CORE_READ(counter, counters), part;
	__s64 sum = BPF_CORE_READ(counter, count);

	for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
		unsigned long offset;

		if ((__u32)cpu >= n_cpus)
			break;
		offset = per_cpu_offset(cpu);
		if (offset && bpf_probe_read_kernel(&part, sizeof(part), (char *)counters + offset) == 0)
			sum += part;
	}
	return sum;
}

/* One kind of pages; not inlined, for its stack (see struct pf_thread). */
static __noinline __s64 rss_part(struct mm_struct *mm, __u32 kind)
{
	if (bpf_core_type_exists(struct mm_rss_stat)) {
		struct mm_struct___before_6_2 *old = (void *)mm;
		long pages = 0;

		bpf_probe_read_kernel(&pages, sizeof(pages), &old->rss_stat.count[kind & 3].counter);
		return pages;
	}
	return percpu_counter_sum((void *)mm->rss_stat + (kind & 3) * bpf_core_type_size(struct percpu_counter));
}

static __always_inline __s64 rss_bytes(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__s64 pages;

	pages = rss_part(mm, 0) + rss_part(mm, 1) + rss_part(mm, 3);
	return pages > 0 ? pages * page_bytes : 0;
}

/* The counter, or what it was where it cannot be read: it has lost its place to another. Not inlined, for its stack. */
static __noinline __s64 hw_now(__u32 which, __s64 before)
{
	struct bpf_perf_event_value value = {};

	if (bpf_perf_event_read_value(&hw_counters, (which * n_cpus + bpf_get_smp_processor_id()) & BPF_F_INDEX_MASK,
				      &value, sizeof(value)) < 0)
		return before;
	return value.counter;
}

/* One that was opened anew, since its CPU was away, begins at 0. */
static __always_inline __s64 hw_since(__s64 before, __s64 now)
{
	return now > before ? now - before : 0;
}

static __always_inline struct pf_hw_base *hw_base(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&hw_bases, &cpu);
}

/*
 * At each switch, whoever comes: the thread that goes (NULL if it is none of ours) has what was counted since the one before.
 * Where that one was not traced, another's part is among it.
 */
static __always_inline void hw_switch(struct pf_thread *thread)
{
	struct pf_hw_base *base = n_hw ? hw_base() : NULL;

	if (!base)
		return;
	for (__u32 i = 0; i < PF_MAX_HW; i++) {
		__s64 now;

		if (i >= n_hw)
			break;
		now = hw_now(i, base->counts[i]);
		if (thread)
			thread->hw[i] += hw_since(base->counts[i], now);
		base->counts[i] = now;
	}
}

#endif
