/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One hook at the machine's switches for all sessions
 *
 * A program costs at each switch, even one that does nothing, and a session is concerned by few of them. So one program, the
 * dispatcher, keeps the CPUs' clocks, looks up whom the two tasks may concern, and calls the hook of the first of these
 * sessions, which calls that of the next: tail calls, one after another. What these need in common is in maps that the
 * dispatcher's object makes and all sessions' objects use.
 */
#ifndef PERFFLOW_DISPATCH_BPF_H
#define PERFFLOW_DISPATCH_BPF_H

#include "kernel_types.bpf.h"
#include "cpu.h"

/* One for each possible CPU; the daemon reads it through a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before load */
	__type(key, __u32);
	__type(value, struct pf_cpu_clock);
} cpu_clocks __weak SEC(".maps");

/*
 * Has a session's bit for the pids of processes in its scope, by their lowest bits, and that stays so: where it is 0 nobody need
 * look for the process. Most switches of a CPU are of that kind.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PF_SCOPE_MARKS);
	__type(key, __u32);
	__type(value, __u32);
} scope_marks __weak SEC(".maps");

/* By the number of its bit, the hook of each session. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PF_MAX_DISPATCHED);
	__type(key, __u32);
	__type(value, __u32);
} switch_hooks __weak SEC(".maps");

static __always_inline __u32 *scope_mark(__u32 tgid)
{
	__u32 key = tgid % PF_SCOPE_MARKS;

	return bpf_map_lookup_elem(&scope_marks, &key);
}

static __always_inline struct pf_cpu_clock *this_cpu_clock(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpu_clocks, &cpu);
}

/* The BPF machine has no instruction for it: by a de Bruijn sequence, whose highest bits are others for each shift. */
const volatile __u8 bit_numbers[32] __weak = { 0,  1,  28, 2,	29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
				      31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9 };

static __always_inline __u32 lowest_bit(__u32 bits)
{
	return bit_numbers[((bits & -bits) * 0x077cb531U) >> 27];
}

/* Does not come back, but where there is nobody left: a session may have gone meanwhile. */
static __always_inline void tell_next(void *ctx, struct pf_cpu_clock *cpu)
{
	for (int i = 0; i < PF_MAX_DISPATCHED; i++) {
		__u32 bits = cpu->to_tell;

		if (!bits)
			break;
		cpu->to_tell = bits & (bits - 1);
		if (bits & 1) /* of a number that is known beforehand the kernel makes a plain jump */
			bpf_tail_call(ctx, &switch_hooks, 0);
		bpf_tail_call(ctx, &switch_hooks, lowest_bit(bits));
	}
}

#endif
