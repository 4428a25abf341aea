/* SPDX-License-Identifier: GPL-2.0-only */
/* Reserve, fill, submit, count what finds no room */
#ifndef PERFFLOW_EMIT_BPF_H
#define PERFFLOW_EMIT_BPF_H

#include "maps.bpf.h"

static __always_inline void *this_ring(void)
{
	__u32 ring = bpf_get_smp_processor_id() & ring_mask;

	return bpf_map_lookup_elem(&rings, &ring);
}

/*
 * No wake-up per record: the consumer polls on a timer, and is woken early only when the ring fills. Looking at the fill
 * level costs a shared cache line, so that is done for one span of a thread in 32; and a consumer that was woken is not
 * woken again until it has read what was there, since each wake-up costs an interrupt.
 */
static __always_inline __u64 wakeup_flags(void *ring, __u32 n_sent)
{
	struct pf_cpu *cpu;
	__u64 read_up_to;

	if (n_sent & 31 || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < wakeup_bytes)
		return BPF_RB_NO_WAKEUP;
	cpu = this_cpu();
	read_up_to = bpf_ringbuf_query(ring, BPF_RB_CONS_POS);
	if (!cpu || read_up_to < cpu->wake_from)
		return BPF_RB_NO_WAKEUP;
	cpu->wake_from = read_up_to + wakeup_bytes;
	return BPF_RB_FORCE_WAKEUP;
}

/* NULL, and counted, where the ring is full. A macro since the size has to be a constant. */
#define emit_reserve(ring, type)                                                              \
	({                                                                                    \
		void *_ring = (ring);                                                         \
		type *_record = _ring ? bpf_ringbuf_reserve(_ring, sizeof(type), 0) : NULL;   \
		if (!_record)                                                                 \
			count(PF_LOST_RING_FULL);                                             \
		_record;                                                                      \
	})

/* A thread's ids in one number, as bpf_get_current_pid_tgid() gives them. */
static __always_inline __u64 task_ids(struct task_struct *task)
{
	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

static __always_inline void emit_header(struct pf_event *event, __u16 kind, __u16 size, __u64 time_ns, __u64 ids)
{
	event->size = size;
	event->kind = kind;
	event->joinpoint = 0;
	event->time_ns = time_ns;
	event->pid = ids >> 32;
	event->tid = ids;
}

static __always_inline void emit_thread(struct task_struct *task, const char *comm)
{
	struct pf_thread_seen *seen = emit_reserve(this_ring(), struct pf_thread_seen);

	if (!seen)
		return;
	emit_header(&seen->event, PF_EVENT_THREAD, sizeof(*seen), bpf_ktime_get_boot_ns(), task_ids(task));
	bpf_probe_read_kernel_str(seen->comm, sizeof(seen->comm), comm);
	bpf_ringbuf_submit(seen, BPF_RB_NO_WAKEUP);
}

/*
 * Tells of a process whose command line is that of the present one (it is the present one, or was just forked from it).
 */
static __noinline int emit_process(struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct pf_process_seen *seen = emit_reserve(this_ring(), struct pf_process_seen);
	unsigned long start, size;

	if (!seen)
		return 0;
	emit_header(&seen->event, PF_EVENT_PROCESS, sizeof(*seen), bpf_ktime_get_boot_ns(), task_ids(task));
	/* in whole clock ticks of 10 ms, as /proc shows it */
	seen->start_ns = BPF_CORE_READ(task, group_leader, start_boottime) / 10000000 * 10000000;
	seen->ppid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	bpf_probe_read_kernel_str(seen->comm, sizeof(seen->comm), task->comm);

	start = BPF_CORE_READ(current, mm, arg_start);
	size = BPF_CORE_READ(current, mm, arg_end) - start;
	if (size > PF_COMMAND_LINE_BYTES)
		size = PF_COMMAND_LINE_BYTES;
	__builtin_memset(seen->command_line, 0, sizeof(seen->command_line));
	if (bpf_probe_read_user(seen->command_line, size, (void *)start) < 0)
		size = 0;
	seen->command_line_bytes = size;
	bpf_ringbuf_submit(seen, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
