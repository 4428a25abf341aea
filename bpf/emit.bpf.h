/* SPDX-License-Identifier: GPL-2.0-only */
/* Reserve, fill, submit, count what finds no room */
#ifndef PERFFLOW_EMIT_BPF_H
#define PERFFLOW_EMIT_BPF_H

#include "maps.bpf.h"

/*
 * Whether a record is more than the sessions of a user with a limit may send: each moves on the time up to which their share is
 * taken. Who loses a race for setting that to the present finds it set.
 */
static __noinline bool is_over_rate(void)
{
	__u64 now_ns = bpf_ktime_get_boot_ns(), until_ns, *taken_ns;
	__u32 only = 0;

	taken_ns = bpf_map_lookup_elem(&records_until_ns, &only);
	if (!taken_ns)
		return false;
	until_ns = PF_READ_ONCE(*taken_ns);
	if (until_ns < now_ns)
		__sync_val_compare_and_swap(taken_ns, until_ns, now_ns);
	until_ns = __sync_fetch_and_add(taken_ns, record_ns);
	if (until_ns < now_ns + record_burst_ns)
		return false;
	__sync_fetch_and_add(taken_ns, -record_ns);
	return true;
}

/* For one record. NULL where that may not be sent, which is counted. */
static __always_inline void *this_ring(void)
{
	__u32 ring = bpf_get_smp_processor_id() & ring_mask;

	if (record_ns && is_over_rate())
		return NULL;
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

/* With a limit there is no ring only where that is reached. */
static __always_inline void count_no_room(const void *ring, __u32 joinpoint, __u32 pid)
{
	lose(ring || !record_ns ? PF_LOST_RING_FULL : PF_LOST_OVER_RATE, joinpoint, pid);
}

/* NULL, and counted, where the ring is full. A macro since the size has to be a constant. */
#define emit_reserve_for(ring, type, joinpoint, pid)                                          \
	({                                                                                    \
		void *_ring = (ring);                                                         \
		type *_record = _ring ? bpf_ringbuf_reserve(_ring, sizeof(type), 0) : NULL;   \
		if (!_record)                                                                 \
			count_no_room(_ring, joinpoint, pid);                                 \
		_record;                                                                      \
	})
#define emit_reserve(ring, type, pid) emit_reserve_for(ring, type, 0, pid)

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
	struct pf_thread_seen *seen = emit_reserve(this_ring(), struct pf_thread_seen, task->tgid);

	if (!seen)
		return;
	emit_header(&seen->event, PF_EVENT_THREAD, sizeof(*seen), bpf_ktime_get_boot_ns(), task_ids(task));
	bpf_probe_read_kernel_str(seen->comm, sizeof(seen->comm), comm);
	bpf_ringbuf_submit(seen, BPF_RB_NO_WAKEUP);
}

#endif
