/* SPDX-License-Identifier: GPL-2.0-only */
/* Ending open spans: one at its return, or all above some depth when the thread left them another way */
#ifndef PERFFLOW_SPAN_BPF_H
#define PERFFLOW_SPAN_BPF_H

#include "filter.bpf.h"

/* A depth and an enum pf_end in one number. */
#define SPAN_HOW(depth, end) ((__u32)(end) << 16 | (depth))

/* Sends the span of a frame. The clocks are read a moment after the start was, so none may exceed the duration. */
static __always_inline void span_emit(struct pf_thread *thread, const struct pf_clocks *now, __u64 ids, __u32 how)
{
	struct pf_frame *frame = &thread->frames[how % PF_MAX_DEPTH];
	void *ring = this_ring();
	struct pf_span *span = emit_reserve(ring, struct pf_span);
	__u64 left;

	if (!span)
		return;
	emit_header(&span->event, PF_EVENT_SPAN, sizeof(*span), frame->start_ns, ids);
	span->event.joinpoint = frame->joinpoint;
	left = now->now_ns - frame->start_ns;
	span->duration_ns = left;
	span->oncpu_ns = now->oncpu_ns - frame->oncpu_ns;
	if (span->oncpu_ns > left)
		span->oncpu_ns = left;
	left -= span->oncpu_ns;
	span->runnable_ns = now->runnable_ns - frame->runnable_ns;
	if (span->runnable_ns > left)
		span->runnable_ns = left;
	left -= span->runnable_ns;
	span->io_ns = now->io_ns - frame->io_ns;
	if (span->io_ns > left)
		span->io_ns = left;
	span->depth = how & 0xffff;
	span->begin = frame->begin;
	span->end = how >> 16;
	span->reserved = 0;
	bpf_ringbuf_submit(span, wakeup_flags(ring, thread->n_sent++));
}

/*
 * These two are global functions, so that the verifier looks at each once, not at each call on each path: it takes
 * milliseconds instead of seconds. Such functions take no task; ids are those of task_ids().
 */
__weak __noinline int span_send(struct pf_thread *thread, const struct pf_clocks *now, __u64 ids, __u32 how)
{
	if (thread && now)
		span_emit(thread, now, ids, how);
	return 0;
}

/* Ends all spans from the top down to and with the frame at that depth, the same way and at the same moment. */
__weak __noinline int spans_end(struct pf_thread *thread, __u64 ids, __u32 how)
{
	__u32 depth = how & 0xffff, end = how >> 16;
	struct pf_clocks *now;

	if (!thread)
		return 0;
	now = &thread->now;
	clocks_read(now, thread);
	thread->last_ns = now->now_ns;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = thread->depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH || top < depth)
			break;
		span_send(thread, now, ids, SPAN_HOW(top, end));
		thread->depth = top;
	}
	return 0;
}

#endif
