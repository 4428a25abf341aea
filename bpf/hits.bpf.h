/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tracing costs, and what an overhead budget leaves of it
 *
 * Of a thread's hits one in about a hundred is looked at: whose it is, and how long our programs take. It stands for all since
 * the one before, whatever their functions: over time each gets its share. The distance varies by chance, so that no rhythm of
 * calls hides from it. Under a budget it is one in about sixteen: where many functions are too much together, each has to be
 * seen before it can be limited.
 */
#ifndef PERFFLOW_HITS_BPF_H
#define PERFFLOW_HITS_BPF_H

#include "maps.bpf.h"

#define HITS_STRIDE_MIN 64
#define HITS_STRIDE_MASK 127
#define HITS_STRIDE_MIN_BUDGET 8
#define HITS_STRIDE_MASK_BUDGET 15
#define MAX_PROGRAM_NS 50000 /* what takes longer was interrupted */

static __always_inline void hit_begin(struct pf_thread *thread)
{
	if (__builtin_expect(thread->hits_left--, 1))
		return;
	thread->hit_ns = bpf_ktime_get_boot_ns();
	thread->hit_switches = thread->n_switches;
}

/* So many hits and an enum pf_hit in one number. */
#define HITS_HOW(n, kind) ((__u32)(n) << 8 | (kind))

/* Adds hits of one kind of the present thread, in each of which our programs took that long. */
__weak __noinline int hits_add(struct pf_thread *thread, __u32 joinpoint, __u32 how, __u64 program_ns)
{
	struct pf_hits_key key = { .joinpoint = joinpoint, .tid = bpf_get_current_pid_tgid() };
	__u32 n = how >> 8, kind = how & 0xff;
	struct pf_hits *found;

	if (!thread || !n || !joinpoint || kind >= PF_N_HITS)
		return 0;
	found = bpf_map_lookup_elem(&hits, &key);
	if (!found) {
		bpf_map_update_elem(&hits, &key, (const void *)&no_hits, BPF_NOEXIST);
		found = bpf_map_lookup_elem(&hits, &key);
	}
	if (!found)
		return 0;
	found->pid = bpf_get_current_pid_tgid() >> 32;
	found->n[kind] += n;
	found->program_ns[kind] += n * program_ns;
	found->oncpu_ns = thread->oncpu_ns;
	found->runnable_ns = thread->runnable_ns;
	return 0;
}

__weak __noinline int hit_look(struct pf_thread *thread, __u32 joinpoint, __u32 kind)
{
	__u32 n, next = bpf_get_prandom_u32();
	__u64 passed_ns;

	if (!thread)
		return 0;
	if (has_budget)
		next = HITS_STRIDE_MIN_BUDGET + (next & HITS_STRIDE_MASK_BUDGET);
	else
		next = HITS_STRIDE_MIN + (next & HITS_STRIDE_MASK);
	n = thread->hits_stride;
	passed_ns = bpf_ktime_get_boot_ns() - thread->hit_ns;
	if (passed_ns > MAX_PROGRAM_NS || thread->hit_switches != thread->n_switches)
		passed_ns = 0;
	thread->hit_ns = 0;
	thread->hits_stride = next;
	thread->hits_left = next - 1;
	return hits_add(thread, joinpoint, HITS_HOW(n, kind), passed_ns);
}

/*
 * Whether a limited function's call is left out. Where its probes are there although it is paused, each hit is counted by
 * itself: that is a trial. Such a hit is never the one that is looked at, which would stand for those of others, too.
 */
__weak __noinline int call_is_left_out(struct pf_thread *thread, __u32 joinpoint, __u32 generation, __u32 tgid)
{
	const struct pf_limit *limit;

	if (joinpoint - relink.first < relink.n && generation == relink.muted)
		return true;
	limit = is_limiting ? bpf_map_lookup_elem(&limits, &joinpoint) : NULL;
	if (!limit || limit->sample == 1)
		return false;
	if (!limit->sample && thread) {
		thread->hits_left++;
		thread->hit_ns = 0;
		hits_add(thread, joinpoint, HITS_HOW(1, PF_HIT_ENTRY), 0);
		return true;
	}
	if (bpf_get_prandom_u32() % limit->sample == 0)
		return false;
	lose(PF_COUNT_LIMITED, joinpoint, tgid);
	return true;
}

/* How a frame ends that did not return to us. */
static __always_inline __u32 end_unseen(const struct pf_frame *frame, __u32 end)
{
	const struct pf_limit *limit;

	if (!has_budget || !is_limiting || end == PF_END_RETURN)
		return end;
	limit = bpf_map_lookup_elem(&limits, &frame->joinpoint);
	return limit && limit->paused_ns > frame->start_ns ? PF_END_PAUSED : end;
}

#endif
