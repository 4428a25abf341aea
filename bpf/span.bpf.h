/* SPDX-License-Identifier: GPL-2.0-only */
/* Ending open spans: one at its return, or all above some depth when the thread left them another way */
#ifndef PERFFLOW_SPAN_BPF_H
#define PERFFLOW_SPAN_BPF_H

#include "advice.bpf.h"
#include "hits.bpf.h"
#include "items.bpf.h"

/* A depth and an enum pf_end in one number. */
#define SPAN_HOW(depth, end) ((__u32)(end) << 16 | (depth))

#define MARK_SKIP (sizeof(struct pf_span) - sizeof(struct pf_mark))

/* The clocks are read a moment after the start was, so none may exceed the duration. */
static __always_inline void span_fill(struct pf_span *span, const struct pf_frame *frame, const struct pf_clocks *now,
				      __u64 ids, __u32 how)
{
	__u64 left = now->now_ns - frame->start_ns, part;

	emit_header(&span->event, PF_EVENT_SPAN, sizeof(*span), frame->start_ns, ids);
	span->event.joinpoint = frame->joinpoint;
	span->duration_ns = left;
	part = now->oncpu_ns - frame->oncpu_ns;
	if (part > left)
		part = left;
	span->oncpu_ns = part;
	left -= part;
	part = now->runnable_ns - frame->runnable_ns;
	if (part > left)
		part = left;
	span->runnable_ns = part;
	left -= part;
	part = now->io_ns - frame->io_ns;
	span->io_ns = part < left ? part : left;
	span->depth = how;
	span->begin = frame->begin;
	span->end = how >> 16;
	span->atoms = has_advices ? frame->atoms : 0;
}

/* An enum pf_moment and an enum pf_end in one number. */
#define MARK_HOW(moment, end) ((__u32)(end) << 16 | (moment))

static __always_inline void mark_fill(struct pf_mark *mark, __u32 joinpoint, __u32 atoms, __u64 time_ns, __u64 ids,
				      __u32 how, __u16 size)
{
	emit_header(&mark->event, PF_EVENT_MARK, size, time_ns, ids);
	mark->event.joinpoint = joinpoint;
	mark->atoms = atoms;
	mark->moment = how;
	mark->end = how >> 16;
	mark->reserved[0] = mark->reserved[1] = 0;
}

static __always_inline int mark_send(struct pf_thread *thread, __u32 joinpoint, __u32 atoms, __u64 time_ns, __u64 ids,
				     __u32 how)
{
	void *ring = this_ring();
	struct pf_mark *mark = emit_reserve_for(ring, struct pf_mark, joinpoint, ids >> 32);

	if (!mark)
		return 0;
	mark_fill(mark, joinpoint, atoms, time_ns, ids, how, sizeof(*mark));
	bpf_ringbuf_submit(mark, wakeup_flags(ring, thread->n_sent++));
	return 0;
}

static __always_inline void mark_send_record(struct pf_thread *thread, struct pf_slot *slot, __u32 joinpoint, __u32 atoms,
					     __u64 time_ns, __u64 ids, __u32 how)
{
	__u32 at = slot->begins_at + MARK_SKIP;

	pf_opaque(at);
	if (at > PF_SLOT_BYTES)
		return;
	mark_fill((struct pf_mark *)&slot->data[at], joinpoint, atoms, time_ns, ids, how, slot->at - at);
	record_send(slot, MARK_SKIP, thread->n_sent++, joinpoint, ids >> 32);
}

/* The record that was begun at the entry of the frame goes on: nothing is left of those of frames above. */
static __always_inline struct pf_slot *record_resume(struct pf_thread *thread, const struct pf_frame *frame, __u32 depth)
{
	struct pf_slot *slot;

	if (!(frame->flags & PF_FRAME_HAS_ITEMS))
		return NULL;
	slot = slot_of(thread);
	if (!slot)
		return NULL;
	slot->begins_at = slot->begins[depth % PF_MAX_DEPTH];
	slot->at = slot->used;
	return slot;
}

/* A mark at the return of a frame that makes no span. */
static __always_inline void frame_send_marks(struct pf_thread *thread, struct pf_slot *slot, const struct pf_frame *frame,
					     const struct pf_advice *advice, const struct pf_clocks *now, __u64 ids,
					     __u32 how)
{
	__u32 mark_how = MARK_HOW(PF_MOMENT_RETURN, how >> 16);
	bool has_returned = how >> 16 == PF_END_RETURN;

	if (!advice || (advice->kind == PF_ADVICE_AFTER && !has_returned))
		return;
	if (slot && advice->kind == PF_ADVICE_AROUND_MARKS) {
		slot->at = slot->begins_at + sizeof(struct pf_span); /* what was taken at the entry was sent then */
		if (advice->id_capture != PF_NO_ID && !slot->has_ids[how % PF_MAX_DEPTH])
			item_missing(slot, PF_ITEM_ID, advice->id_capture);
		else if (advice->id_capture != PF_NO_ID)
			item_u64(slot, PF_ITEM_ID, advice->id_capture, slot->ids[how % PF_MAX_DEPTH]);
	}
	if (slot) {
		if (has_returned)
			items_capture(slot, advice, true);
		mark_send_record(thread, slot, frame->joinpoint, frame->atoms, now->now_ns, ids, mark_how);
	} else {
		mark_send(thread, frame->joinpoint, frame->atoms, now->now_ns, ids, mark_how);
	}
}

static __always_inline void span_send_record(struct pf_thread *thread, struct pf_slot *slot, const struct pf_frame *frame,
					     const struct pf_advice *advice, const struct pf_clocks *now, __u64 ids,
					     __u32 how)
{
	__u32 at = slot->begins_at;
	struct pf_span *span;

	pf_opaque(at);
	if (at > PF_SLOT_BYTES)
		return;
	if (advice && how >> 16 == PF_END_RETURN)
		items_capture(slot, advice, true);
	if (frame->flags & PF_FRAME_HAS_METRICS && how >> 16 != PF_END_SESSION_STOP) { /* there another thread is the present one */
		metrics_read(slot, thread);
		if (how >> 16 == PF_END_EXEC) /* the memory is the next program's */
			slot->has_memory = false;
		items_metrics(slot);
	}
	span = (struct pf_span *)&slot->data[at];
	span_fill(span, frame, now, ids, how);
	span->event.size = slot->at - at;
	record_send(slot, 0, thread->n_sent++, frame->joinpoint, ids >> 32);
}

/* Not inlined, as record_send(), for the stack of who calls them. */
static __noinline void span_send_plain(struct pf_thread *thread, const struct pf_frame *frame,
					    const struct pf_clocks *now, __u64 ids, __u32 how)
{
	void *ring = this_ring();
	struct pf_span *span = emit_reserve_for(ring, struct pf_span, frame->joinpoint, ids >> 32);

	if (!span)
		return;
	span_fill(span, frame, now, ids, how);
	bpf_ringbuf_submit(span, wakeup_flags(ring, thread->n_sent++));
}

/*
 * What follows are global functions, so that the verifier looks at each once, not at each call on each path: it takes
 * milliseconds instead of seconds. Such functions take no task; ids are those of task_ids().
 *
 * The end of any frame. The return's registers are in its slot.
 */
__weak __noinline int frame_send(struct pf_thread *thread, const struct pf_clocks *now, __u64 ids, __u32 how)
{
	const struct pf_advice *advice;
	struct pf_frame *frame;
	struct pf_slot *slot;

	if (!thread || !now)
		return 0;
	frame = frame_at(thread, how);
	slot = record_resume(thread, frame, how);
	if (!(frame->flags & PF_FRAME_SILENT)) {
		advice = frame->advice ? advice_find(frame->advice) : NULL;
		if (frame->flags & PF_FRAME_MARKS)
			frame_send_marks(thread, slot, frame, advice, now, ids, how);
		else if (advice && now->now_ns - frame->start_ns < advice->min_ns)
			lose(PF_COUNT_SHORT, frame->joinpoint, ids >> 32);
		else if (slot)
			span_send_record(thread, slot, frame, advice, now, ids, how);
		else
			span_send_plain(thread, frame, now, ids, how);
	}
	if (slot)
		slot->used = slot->begins_at - (metrics_mask ? METRIC_BASE_BYTES : 0);
	thread->atoms = frame->outer_atoms;
	return 0;
}

/* A function of its own for the verifier: what follows is then the same on each of its paths. */
__weak __noinline int clocks_take(struct pf_thread *thread)
{
	if (!thread)
		return 0;
	clocks_read(&thread->now, thread);
	thread->last_ns = thread->now.now_ns;
	return 0;
}

/* Ends all spans from the top down to and with the frame at that depth, the same way and at the same moment. */
__weak __noinline int spans_end(struct pf_thread *thread, __u64 ids, __u32 how)
{
	__u32 depth = how & 0xffff, end = how >> 16;

	if (!thread)
		return 0;
	clocks_take(thread);
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = thread->depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH || top < depth)
			break;
		frame_send(thread, &thread->now, ids, SPAN_HOW(top, end_unseen(&thread->frames[top], end)));
		thread->depth = top;
	}
	return 0;
}

#endif
