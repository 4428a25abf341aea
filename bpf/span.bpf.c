// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry and exit of woven functions: the stack of open spans
 *
 * An entry pushes a frame, a return looks for its frame from the top down: same join point, same stack pointer. Frames
 * above it, and frames that a new entry finds beneath the live part of the stack, were left by an exception or longjmp.
 * The kernel forgets the return probes of such frames by the same rule (arch_uretprobe_is_alive), so both agree on
 * what is still open.
 *
 * A return is seen by a return probe, or by probes on each instruction that leaves the function (exit sites): there the
 * stack pointer is as at the entry, for a jump that is a tail call as well, and inside of a frame it is lower.
 *
 * A thread with several stacks (coroutines, signal stacks) has its spans cut where the stack pointer says that they are
 * over: that may be too early, but what is sent always nests.
 */
#include "span.bpf.h"
#include "perfflow/branch.h"

#if defined(__TARGET_ARCH_x86)
/* `call` has pushed the return address, and the return will have popped it. */
#define RETURN_ADDRESS_BYTES 8
static __always_inline __u64 return_address(struct pt_regs *ctx)
{
	__u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)PT_REGS_SP(ctx));
	return address;
}
#else
#define RETURN_ADDRESS_BYTES 0
static __always_inline __u64 return_address(struct pt_regs *ctx)
{
	return PT_REGS_RET(ctx);
}
#endif

/* Whether the function was jumped to by another that is traced: its caller's return probe holds the return address. */
static __always_inline bool is_tail_called(struct task_struct *task, struct pt_regs *ctx)
{
	__u64 trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);

	return trampoline && return_address(ctx) == trampoline;
}

/* Ends the frames that the stack pointer of a new call shows to be gone. */
__noinline int spans_end_stale(struct pf_thread *thread, __u64 ids, __u64 sp, bool tail_called)
{
	__u32 depth;

	if (!thread)
		return 0;
	depth = thread->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH)
			break;
		if (thread->frames[top].sp > sp || (tail_called && thread->frames[top].sp == sp))
			break;
		depth = top;
	}
	return spans_end(thread, ids, SPAN_HOW(depth, PF_END_UNWOUND));
}

/*
 * A call, or with is_inside a static probe, whose function's frame may be at the stack pointer. Not inlined, for what it needs
 * of the stack (see struct pf_thread).
 */
static __noinline int spans_end_before(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, bool is_inside)
{
	if (is_inside)
		return spans_end_stale(thread, task_ids(task), PT_REGS_SP(ctx) - 1, false);
	return spans_end_stale(thread, task_ids(task), PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES, is_tail_called(task, ctx));
}

/* What an entry tells a session link: whether the kernel need go to the trouble of seeing the return. */
enum { RETURN_WANTED = 0, RETURN_NOT_WANTED = 1 };

/*
 * Whether the kernel has put the return address in front of the n bytes of the chain of frame pointers. In a recursion that begins
 * with the same address, so the length tells: as many as there are frames, or one more. Return probes have their own address in
 * the frames. Not inlined, for its stack.
 */
static __noinline bool stack_has_return(const __u64 *addresses, long n, struct pt_regs *ctx)
{
	__u64 frame[2] = { PT_REGS_FP(ctx) };
	int n_frames = 0;

	for (; n_frames < PF_MAX_STACK; n_frames++) {
		if (bpf_probe_read_user(frame, sizeof(frame), (void *)frame[0]) < 0)
			break;
		if (!n_frames && n >= 16 && frame[1] == addresses[2] && frame[1] != addresses[0])
			return true;
	}
	return n > n_frames * 8 || n_frames == PF_MAX_STACK;
}

/*
 * The return addresses of the callers, innermost first. At an entry the first is still where the call has put it: the chain of
 * frame pointers begins one frame further out. Newer kernels know that, where the probe is on `push %rbp`.
 */
static __always_inline void item_stack(struct pf_slot *slot, struct pt_regs *ctx, bool is_inside)
{
	struct pf_item *item = item_reserve(slot, PF_MAX_STACK * 8 + 8);
	__u64 *addresses;
	long n;

	if (!item)
		return;
	addresses = (__u64 *)(item + 1);
	addresses[0] = is_inside ? 0 : return_address(ctx);
	addresses[1] = 0;
	n = bpf_get_stack(ctx, addresses + 1, PF_MAX_STACK * 8, BPF_F_USER_STACK | 1);
	if (n < 0 || n > PF_MAX_STACK * 8)
		n = 0;
	if (!is_inside && (addresses[0] != addresses[1] || !stack_has_return(addresses, n, ctx))) {
		item_commit(slot, item, PF_ITEM_STACK, 0, n < PF_MAX_STACK * 8 ? n + 8 : n);
		return;
	}
	if (!n)
		return;
	bpf_probe_read_kernel(addresses, PF_MAX_STACK * 8, addresses + 1);
	item_commit(slot, item, PF_ITEM_STACK, 0, n);
}

static __always_inline bool wants_items(struct pf_thread *thread, const struct pf_advice *advice)
{
	return takes_metrics(thread) || (advice && (advice->n_captures || advice->with_stack));
}

/* Begins the record of a call, with what is taken at its entry. */
static __noinline struct pf_slot *record_open(struct pf_thread *thread, struct pt_regs *ctx, const struct pf_advice *advice,
					      bool is_inside)
{
	struct pf_slot *slot = slot_take(thread);

	if (!slot || !record_begin(slot))
		return NULL;
	slot->has_id = false;
	if (takes_metrics(thread)) {
		metrics_read(slot, thread);
		metrics_keep(slot);
		thread->entering_flags |= PF_FRAME_HAS_METRICS;
	}
	if (!advice)
		return slot;
	slot_take_registers(slot, ctx);
	items_capture(slot, advice, false);
	if (advice->with_stack)
		item_stack(slot, ctx, is_inside);
	return slot;
}

static __always_inline struct pf_slot *record_begun(struct pf_thread *thread, struct pt_regs *ctx,
						   const struct pf_advice *advice, __u32 joinpoint, bool is_inside)
{
	struct pf_slot *slot = record_open(thread, ctx, advice, is_inside);

	if (!slot)
		lose(PF_LOST_ITEMS, joinpoint, bpf_get_current_pid_tgid() >> 32);
	return slot;
}

/* What the record has so far waits for the return of the call that is entered. */
static __always_inline void record_keep(struct pf_thread *thread, struct pf_slot *slot)
{
	__u32 depth = thread->depth;

	thread->entering_flags |= PF_FRAME_HAS_ITEMS;
	slot->begins[depth % PF_MAX_DEPTH] = slot->begins_at;
	slot->ids[depth % PF_MAX_DEPTH] = slot->id;
	slot->has_ids[depth % PF_MAX_DEPTH] = slot->has_id;
	slot->used = slot->at;
}

static __always_inline void mark_here(struct task_struct *task, struct pf_thread *thread, struct pf_slot *slot,
				      __u32 joinpoint, __u32 moment)
{
	struct pf_clocks *now = &thread->now;

	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	if (slot)
		mark_send_record(thread, slot, joinpoint, thread->entering_atoms, now->now_ns, task_ids(task),
				 MARK_HOW(moment, PF_END_RETURN));
	else
		mark_send(thread, joinpoint, thread->entering_atoms, now->now_ns, task_ids(task),
			  MARK_HOW(moment, PF_END_RETURN));
}

/* A call that has more to it than a plain span. Returns false where no frame is to be pushed; else thread->entering_... is set. */
static __noinline bool call_open(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 cookie)
{
	const struct pf_advice *advice = NULL;
	__u32 number = cookie >> PF_COOKIE_ADVICE_SHIFT;
	struct pf_slot *slot = NULL;

	thread->entering_kind = PF_ADVICE_AROUND;
	thread->entering_sets = thread->entering_atoms = thread->entering_flags = 0;
	if (number) {
		if (!advice_admit(thread, number, cookie, task->tgid))
			return false;
		advice = advice_find(number);
	}
	if (thread->entering_flags & PF_FRAME_SILENT)
		return true;
	if (wants_items(thread, advice))
		slot = record_begun(thread, ctx, advice, cookie, false);
	if (thread->entering_kind != PF_ADVICE_AROUND)
		thread->entering_flags |= PF_FRAME_MARKS;
	if (thread->entering_kind == PF_ADVICE_BEFORE || thread->entering_kind == PF_ADVICE_AROUND_MARKS)
		mark_here(task, thread, slot, cookie, PF_MOMENT_ENTRY);
	if (thread->entering_kind == PF_ADVICE_BEFORE) {
		thread->entering_flags = PF_FRAME_SILENT;
		return thread->entering_sets;
	}
	if (slot)
		record_keep(thread, slot);
	return true;
}

/* What an open span needs, but for what call_open() finds out. */
static __always_inline void frame_push(struct pf_thread *thread, __u32 depth, __u64 sp, __u32 joinpoint)
{
	struct pf_frame *frame = frame_at(thread, depth);
	struct pf_clocks *now = &thread->now;

	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	frame->start_ns = now->now_ns;
	frame->sp = sp;
	frame->oncpu_ns = now->oncpu_ns;
	frame->runnable_ns = now->runnable_ns;
	frame->io_ns = now->io_ns;
	frame->joinpoint = joinpoint;
	frame->begin = PF_BEGIN_CALL;
	thread->depth = depth + 1;
}

static __always_inline void frame_advise(struct pf_thread *thread, __u32 depth, __u64 cookie)
{
	struct pf_frame *frame = frame_at(thread, depth);

	frame->advice = cookie >> PF_COOKIE_ADVICE_SHIFT;
	frame->flags = thread->entering_flags;
	frame->atoms = thread->entering_atoms;
	frame->outer_atoms = thread->atoms;
	thread->atoms |= thread->entering_sets;
}

/* While two links have the same functions, at the moment in which the one takes over from the other. */
static __always_inline bool is_same_call(const struct pf_frame *frame, __u64 sp, __u32 joinpoint)
{
	return frame->sp == sp && frame->joinpoint == joinpoint;
}

static __always_inline int span_open(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx,
				     __u64 cookie)
{
	__u64 sp = PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES;
	__u32 depth = thread->depth;

	if (has_budget && relink.n && depth && is_same_call(frame_at(thread, depth - 1), sp, cookie))
		return RETURN_WANTED;
	if (depth && frame_at(thread, depth - 1)->sp <= sp) {
		spans_end_before(task, thread, ctx, false);
		depth = thread->depth;
	}
	/* Past its limit the kernel sees no return: a frame would stay open. A utask that is NULL reads as 0. */
	if (depth >= PF_MAX_DEPTH ||
	    (!(cookie & PF_COOKIE_BY_SITES) && task->utask->depth >= PF_MAX_RETURN_PROBES)) {
		lose(PF_LOST_TOO_DEEP, cookie, task->tgid);
		return RETURN_NOT_WANTED;
	}
	if (has_advices || metrics_mask) {
		if (!call_open(task, thread, ctx, cookie))
			return RETURN_NOT_WANTED;
		frame_advise(thread, depth, cookie);
	}
	frame_push(thread, depth, sp, cookie);
	return RETURN_WANTED;
}

/*
 * With a session link a return comes only where the entry pushed a frame, so the stack pointer alone tells which that is.
 * Without, the return of a call that has no frame may come while another with the same stack pointer is open.
 */
#define ANY_JOINPOINT 0

static __always_inline void count_unmatched(__u32 joinpoint)
{
	if (!has_advices && !(has_budget && (is_limiting || relink.n))) /* else it may be one that was left out */
		lose(PF_COUNT_ENTERED_BEFORE, joinpoint, bpf_get_current_pid_tgid() >> 32);
}

/* Whether a return belongs to this frame. */
static __always_inline bool frame_returns(const struct pf_frame *frame, __u64 sp, __u32 joinpoint)
{
	return frame->sp == sp && (joinpoint == ANY_JOINPOINT || frame->joinpoint == joinpoint) &&
	       !(has_advices && frame->flags & PF_FRAME_REGION);
}

/* A return whose frame is not on top. */
__noinline int span_close_below(struct pf_thread *thread, __u64 ids, __u32 joinpoint, __u64 sp)
{
	__u32 found = PF_MAX_DEPTH, depth;

	if (!thread)
		return 0;
	depth = thread->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH)
			break;
		if (frame_returns(&thread->frames[top], sp, joinpoint)) {
			found = top;
			break;
		}
		depth = top;
	}
	if (found == PF_MAX_DEPTH) {
		count_unmatched(joinpoint);
		return 0;
	}
	spans_end(thread, ids, SPAN_HOW(found + 1, PF_END_UNWOUND));
	return spans_end(thread, ids, SPAN_HOW(found, PF_END_RETURN));
}

/* Nothing was asked of the call that the span does not have. */
static __always_inline bool frame_is_plain(const struct pf_frame *frame)
{
	return !(has_advices || metrics_mask) || !(frame->advice || frame->flags);
}

/* The plain span: written where the thread keeps it and copied, which is one call less than reserve and submit. */
static __always_inline void span_close_plain(struct task_struct *task, struct pf_thread *thread, __u32 top)
{
	struct pf_clocks *now = &thread->now;
	void *ring = this_ring();

	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	thread->depth = top;
	span_fill(&thread->span, &thread->frames[top], now, task_ids(task), SPAN_HOW(top, PF_END_RETURN));
	if (!ring || bpf_ringbuf_output(ring, &thread->span, sizeof(thread->span), wakeup_flags(ring, thread->n_sent++)) < 0)
		count_no_room(ring, thread->span.event.joinpoint, task->tgid);
}

/* What is taken at the return is read from registers. Where a jump leaves, another function will make the result. */
static __always_inline void take_result(struct pf_thread *thread, struct pt_regs *ctx, bool is_jump)
{
	struct pf_slot *slot = slot_of(thread);

	if (!slot)
		return;
	slot_take_registers(slot, ctx);
	slot->has_result = !is_jump;
}

static __always_inline int span_close(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 sp,
				      __u32 joinpoint, bool is_jump)
{
	__u32 top = thread->depth - 1;
	struct pf_frame *frame;

	pf_opaque(top);
	if (top >= PF_MAX_DEPTH) {
		count_unmatched(joinpoint);
		return 0;
	}
	if (has_advices)
		take_result(thread, ctx, is_jump);
	frame = &thread->frames[top];
	if (!frame_returns(frame, sp, joinpoint))
		return span_close_below(thread, task_ids(task), joinpoint, sp);
	if (frame_is_plain(frame)) {
		span_close_plain(task, thread, top);
		if (has_advices)
			thread->atoms = frame->outer_atoms;
		return 0;
	}
	clocks_read_own(&thread->now, thread);
	thread->last_ns = thread->now.now_ns;
	thread->depth = top;
	frame_send(thread, &thread->now, task_ids(task), SPAN_HOW(top, PF_END_RETURN));
	return 0;
}

/* The frames beneath the regions on top. */
__noinline int regions_floor(struct pf_thread *thread)
{
	__u32 depth;

	if (!thread)
		return 0;
	depth = thread->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH || (thread->frames[top].flags & (PF_FRAME_REGION | PF_FRAME_WOVEN)) != PF_FRAME_REGION)
			break;
		depth = top;
	}
	return depth;
}

/* The program says that something begins: even what is not recorded has its frame, so that its end finds it. */
static __noinline void region_open(struct pf_thread *thread, struct pt_regs *ctx, const struct pf_advice *advice, __u64 cookie)
{
	__u32 depth = thread->depth;
	struct pf_slot *slot;
	__u64 sp;

	/* recursion goes deeper on the stack each time, but in an interpreter: what does not has forgotten the ends of its regions */
	if (depth >= PF_MAX_DEPTH && !advice->is_paired && PT_REGS_SP(ctx) >= thread->region_sp) {
		spans_end(thread, task_ids(bpf_get_current_task_btf()), SPAN_HOW(regions_floor(thread), PF_END_UNWOUND));
		depth = thread->depth;
	}
	if (depth >= PF_MAX_DEPTH) {
		lose(PF_LOST_TOO_DEEP, cookie, bpf_get_current_pid_tgid() >> 32);
		thread->n_too_deep++;
		return;
	}
	thread->n_too_deep = 0;
	thread->region_sp = PT_REGS_SP(ctx);
	sp = depth ? frame_at(thread, depth - 1)->sp : ~0ULL;
	slot = !(thread->entering_flags & PF_FRAME_SILENT) && wants_items(thread, advice) ? record_begun(thread, ctx, advice, cookie, true) : NULL;
	thread->entering_flags |= PF_FRAME_REGION;
	if (slot)
		record_keep(thread, slot);
	frame_advise(thread, depth, cookie);
	frame_push(thread, depth, sp, cookie);
}

/* And that it ends: the youngest one, which may be too deep to have a frame. */
__noinline int region_close(struct pf_thread *thread, __u64 ids)
{
	__u32 found = PF_MAX_DEPTH, depth;

	if (!thread)
		return 0;
	if (thread->n_too_deep && thread->depth >= PF_MAX_DEPTH) {
		thread->n_too_deep--;
		return 0;
	}
	depth = thread->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH)
			break;
		if (thread->frames[top].flags & PF_FRAME_REGION) {
			found = top;
			break;
		}
		depth = top;
	}
	if (found == PF_MAX_DEPTH)
		return 0;
	spans_end(thread, ids, SPAN_HOW(found + 1, PF_END_UNWOUND));
	return spans_end(thread, ids, SPAN_HOW(found, PF_END_RETURN));
}

/*
 * A function that PerfFlowAspect's own compiler pass has woven calls that one's runtime where it begins and before it returns,
 * with its pointcut for the last argument; programs woven before 2025 do not pass that.
 */
enum woven_pointcut { WOVEN_UNSAID, WOVEN_AROUND, WOVEN_ALONE };

static __always_inline enum woven_pointcut woven_pointcut(struct pt_regs *ctx)
{
	__u64 word = 0;

	bpf_probe_read_user_str(&word, sizeof(word), (void *)PT_REGS_PARM6(ctx));
	if (!__builtin_memcmp(&word, "around\0", 8))
		return WOVEN_AROUND;
	return !__builtin_memcmp(&word, "before\0", 8) || !__builtin_memcmp(&word, "after\0\0", 8) ? WOVEN_ALONE : WOVEN_UNSAID;
}

/*
 * The innermost open function of that name whose calls come from the same place of the stack, or PF_MAX_DEPTH. Its name is known
 * by the address that both calls pass.
 */
__noinline int woven_find(struct pf_thread *thread, __u64 sp, __u64 function)
{
	struct pf_slot *slot;
	__u32 depth;

	if (!thread)
		return PF_MAX_DEPTH;
	slot = slot_of(thread);
	if (!slot)
		return PF_MAX_DEPTH;
	depth = thread->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		__u32 top = depth - 1;

		pf_opaque(top);
		if (top >= PF_MAX_DEPTH)
			break;
		if (thread->frames[top].flags & PF_FRAME_WOVEN) {
			if (thread->frames[top].sp != sp)
				break;
			if (thread->frames[top].flags & PF_FRAME_HAS_ITEMS && slot->ids[top] == function)
				return top;
		}
		depth = top;
	}
	return PF_MAX_DEPTH;
}

/*
 * The frame's stack pointer is one above the function's own, so that what the function calls leaves it open, and what its
 * caller calls shows it to be gone. Functions that the compiler has inlined into each other have one place of the stack: there
 * one is inside of the other. But the same one again was left by a longjmp, and where pointcuts are not said, the earlier one
 * may be one that has no end.
 */
static __always_inline void woven_open(struct pf_thread *thread, struct pt_regs *ctx, const struct pf_advice *advice, __u64 cookie,
				       bool is_said)
{
	__u64 sp = PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES + 1, ids = task_ids(bpf_get_current_task_btf());
	struct pf_slot *slot;
	__u32 depth;

	spans_end_stale(thread, ids, sp - is_said, false);
	depth = is_said ? woven_find(thread, sp, PT_REGS_PARM3(ctx)) : PF_MAX_DEPTH;
	if (depth < PF_MAX_DEPTH)
		spans_end(thread, ids, SPAN_HOW(depth, PF_END_UNWOUND));
	depth = thread->depth;
	if (depth >= PF_MAX_DEPTH) {
		lose(PF_LOST_TOO_DEEP, cookie, bpf_get_current_pid_tgid() >> 32);
		thread->n_too_deep++;
		return;
	}
	thread->n_too_deep = 0;
	slot = thread->entering_flags & PF_FRAME_SILENT ? NULL : record_begun(thread, ctx, advice, cookie, false);
	thread->entering_flags |= PF_FRAME_REGION | PF_FRAME_WOVEN;
	if (slot) {
		slot->id = PT_REGS_PARM3(ctx);
		record_keep(thread, slot);
	}
	frame_advise(thread, depth, cookie);
	frame_push(thread, depth, sp, cookie);
}

/*
 * Returns 1 where it was open: then it is the innermost one, as what it has called is over. A pointcut that is not said may be one
 * that has no beginning: then the name has to be the same.
 */
__noinline int woven_close(struct pf_thread *thread, __u64 ids, __u64 sp, __u64 function, bool is_said)
{
	struct pf_slot *slot;
	__u32 top;

	if (!thread)
		return 0;
	if (thread->n_too_deep && thread->depth >= PF_MAX_DEPTH) {
		thread->n_too_deep--;
		return 1;
	}
	top = woven_find(thread, sp + 1, function);
	if (top >= PF_MAX_DEPTH)
		top = regions_floor(thread) - 1;
	pf_opaque(top);
	if (top >= PF_MAX_DEPTH || !(thread->frames[top].flags & PF_FRAME_WOVEN))
		return 0;
	slot = slot_of(thread);
	if (!(is_said && thread->frames[top].sp == sp + 1) &&
	    !(slot && thread->frames[top].flags & PF_FRAME_HAS_ITEMS && slot->ids[top] == function))
		return 0;
	spans_end(thread, ids, SPAN_HOW(top + 1, PF_END_UNWOUND));
	spans_end(thread, ids, SPAN_HOW(top, PF_END_RETURN));
	return 1;
}

static __noinline void woven_call(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx,
				  const struct pf_advice *advice, __u64 cookie)
{
	bool is_before = advice->kind == PF_ADVICE_WOVEN_BEFORE;
	enum woven_pointcut pointcut = woven_pointcut(ctx);
	struct pf_slot *slot;

	advice_admit(thread, cookie >> PF_COOKIE_ADVICE_SHIFT, cookie, task->tgid);
	if (pointcut != WOVEN_ALONE && !(__u32)PT_REGS_PARM1(ctx)) { /* not asynchronous */
		if (is_before) {
			woven_open(thread, ctx, advice, cookie, pointcut == WOVEN_AROUND);
			return;
		}
		if (woven_close(thread, task_ids(task), PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES, PT_REGS_PARM3(ctx),
				pointcut == WOVEN_AROUND) || pointcut == WOVEN_AROUND)
			return;
	}
	if (thread->entering_flags & PF_FRAME_SILENT)
		return;
	slot = record_open(thread, ctx, advice, false);
	mark_here(task, thread, slot, cookie, is_before ? PF_MOMENT_ENTRY : PF_MOMENT_RETURN);
}

/* A function whose return is not seen, or a static probe. */
static __noinline int entry_only(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 cookie)
{
	__u32 number = cookie >> PF_COOKIE_ADVICE_SHIFT;
	const struct pf_advice *advice = NULL;
	struct pf_slot *slot = NULL;
	bool is_admitted, is_return = false;

	if (thread->depth)
		spans_end_before(task, thread, ctx, cookie & PF_COOKIE_INSIDE);
	thread->entering_atoms = 0;
	if (has_advices && number) {
		advice = advice_find(number);
		if (!advice)
			return 0;
		if (advice->kind == PF_ADVICE_REGION_END)
			return region_close(thread, task_ids(task));
		if (advice->kind >= PF_ADVICE_WOVEN_BEFORE) {
			woven_call(task, thread, ctx, advice, cookie);
			return 0;
		}
		is_admitted = advice_admit(thread, number, cookie, task->tgid);
		if (advice->kind == PF_ADVICE_REGION_BEGIN) {
			region_open(thread, ctx, advice, cookie);
			return 0;
		}
		if (!is_admitted || thread->entering_flags & PF_FRAME_SILENT || thread->entering_kind == PF_ADVICE_AFTER)
			return 0;
		if (wants_items(thread, advice))
			slot = record_begun(thread, ctx, advice, cookie, cookie & PF_COOKIE_INSIDE);
		is_return = advice->kind == PF_ADVICE_MARK_RETURN;
	}
	mark_here(task, thread, slot, cookie, is_return ? PF_MOMENT_RETURN : PF_MOMENT_ENTRY);
	return 0;
}

static __always_inline int entered(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 cookie)
{
	if (has_budget && call_is_left_out(thread, cookie, PF_GENERATION_OF(cookie), task->tgid))
		return RETURN_NOT_WANTED;
	if (cookie & PF_COOKIE_LANDING) {
		spans_end_stale(thread, task_ids(task), PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES, false);
		return RETURN_NOT_WANTED;
	}
	if (cookie & PF_COOKIE_ENTRY_ONLY) {
		entry_only(task, thread, ctx, cookie);
		return RETURN_NOT_WANTED;
	}
	return span_open(task, thread, ctx, cookie);
}

static __always_inline int enter(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 cookie)
{
	int wanted;

	hit_begin(thread);
	wanted = entered(task, thread, ctx, cookie);
	if (thread->hit_ns)
		hit_look(thread, cookie, PF_HIT_ENTRY);
	return wanted;
}

/*
 * What the kernel keeps while a program runs for a probe. Reading there which probe it is, and whether at the return, is cheaper
 * than two calls: on many processors each return has become dear. The daemon tries whether it is right here: see on_check().
 */
#define HAS_RUN_CONTEXT                                                                                                          \
	(bpf_ksym_exists(bpf_rdonly_cast) && bpf_core_field_exists(struct task_struct, bpf_ctx) &&                              \
	 bpf_core_field_exists(struct bpf_uprobe_multi_run_ctx, session_ctx) &&                                                  \
	 bpf_core_field_exists(struct bpf_session_run_ctx, is_return) && bpf_core_field_exists(struct bpf_uprobe, cookie))

static __always_inline const struct bpf_uprobe_multi_run_ctx *run_context(struct task_struct *task)
{
	return bpf_rdonly_cast(task->bpf_ctx, bpf_core_type_id_kernel(struct bpf_uprobe_multi_run_ctx));
}

static __always_inline __u64 attach_cookie(struct task_struct *task, struct pt_regs *ctx)
{
	if (!HAS_RUN_CONTEXT || !reads_run_context)
		return bpf_get_attach_cookie(ctx);
	return run_context(task)->uprobe->cookie;
}

static __always_inline void leave(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, bool is_session)
{
	hit_begin(thread);
	span_close(task, thread, ctx, PT_REGS_SP(ctx), is_session ? ANY_JOINPOINT : attach_cookie(task, ctx), false);
	if (thread->hit_ns)
		hit_look(thread, attach_cookie(task, ctx), PF_HIT_RETURN);
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx)
{
	struct task_struct *task;
	struct pf_thread *thread = thread_in_scope(ctx, true, &task);

	if (thread)
		enter(task, thread, ctx, attach_cookie(task, ctx));
	return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx)
{
	struct task_struct *task;
	struct pf_thread *thread = thread_in_scope(ctx, false, &task);

	if (thread)
		leave(task, thread, ctx, false);
	return 0;
}

/* Whether a conditional jump is about to be taken. */
static __always_inline bool is_taken(struct pt_regs *ctx, __u8 branch)
{
#if defined(__TARGET_ARCH_x86)
	return pf_branch_is_taken_x86(branch, ctx->eflags);
#else
	const struct user_pt_regs *registers = (const void *)ctx;
	__u64 value = 0;

	if (branch & PF_BRANCH_REGISTER)
		bpf_probe_read_kernel(&value, sizeof(value), &registers->regs[branch & PF_BRANCH_NUMBER]);
	return pf_branch_is_taken_arm64(branch, registers->pstate, value);
#endif
}

static __always_inline void exit_site(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx, __u64 cookie)
{
	__u64 sp = PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES;
	__u32 top;

	if (cookie & PF_COOKIE_CONDITION && !is_taken(ctx, cookie >> PF_COOKIE_CONDITION_SHIFT))
		return;
	top = thread->depth - 1;
	pf_opaque(top);
	/* a call that was too deep to be followed, or a jump inside of a frame */
	if (top < PF_MAX_DEPTH && sp < thread->frames[top].sp)
		return;
	if (cookie & PF_COOKIE_EXIT_JUMP && (top >= PF_MAX_DEPTH || sp != thread->frames[top].sp))
		return;
	span_close(task, thread, ctx, sp, cookie, cookie & PF_COOKIE_EXIT_JUMP);
}

SEC("uprobe")
int on_exit_site(struct pt_regs *ctx)
{
	struct task_struct *task;
	struct pf_thread *thread = thread_in_scope(ctx, false, &task);
	__u64 cookie;

	if (!thread)
		return 0;
	hit_begin(thread);
	cookie = attach_cookie(task, ctx);
	exit_site(task, thread, ctx, cookie);
	if (thread->hit_ns)
		hit_look(thread, cookie, cookie & PF_COOKIE_EXIT_JUMP ? PF_HIT_JUMP : PF_HIT_EXIT);
	return 0;
}

/* Both in one, for session links (Linux 6.13). The function that tells them apart took no argument before 7.0. */
extern bool bpf_session_is_return(void *ctx) __ksym __weak;
extern bool bpf_session_is_return___before_7_0(void) __ksym __weak;

static __always_inline bool is_at_return(struct pt_regs *ctx)
{
	return bpf_ksym_exists(bpf_session_is_return) ? bpf_session_is_return(ctx) : bpf_session_is_return___before_7_0();
}

SEC("uprobe")
int on_call(struct pt_regs *ctx)
{
	struct task_struct *task;
	struct pf_thread *thread = thread_in_scope(ctx, true, &task);
	bool is_return;

	if (!thread)
		return RETURN_NOT_WANTED;
	is_return = HAS_RUN_CONTEXT && reads_run_context ? run_context(task)->session_ctx.is_return : is_at_return(ctx);
	if (!is_return)
		return enter(task, thread, ctx, attach_cookie(task, ctx));
	leave(task, thread, ctx, true);
	return RETURN_WANTED;
}

__u64 n_contexts_right = 0, n_contexts_wrong = 0;

/* For a probe on a function of the daemon: whether what is read there is what the helpers tell. */
SEC("uprobe")
int on_check(struct pt_regs *ctx)
{
	const struct bpf_uprobe_multi_run_ctx *context;

	if (!HAS_RUN_CONTEXT)
		return RETURN_WANTED;
	context = run_context(bpf_get_current_task_btf());
	if (context->session_ctx.is_return == is_at_return(ctx) && context->uprobe->cookie == bpf_get_attach_cookie(ctx))
		__sync_fetch_and_add(&n_contexts_right, 1);
	else
		__sync_fetch_and_add(&n_contexts_wrong, 1);
	return RETURN_WANTED;
}

char LICENSE[] SEC("license") = "GPL";
