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

/* An entry at or above the top frame's stack pointer: not inlined, for what it needs of the stack (see struct pf_thread). */
static __noinline int spans_end_before(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx)
{
	return spans_end_stale(thread, task_ids(task), PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES, is_tail_called(task, ctx));
}

/* What an entry tells a session link: whether the kernel need go to the trouble of seeing the return. */
enum { RETURN_WANTED = 0, RETURN_NOT_WANTED = 1 };

static __always_inline int span_open(struct task_struct *task, struct pf_thread *thread, struct pt_regs *ctx,
				     __u64 cookie)
{
	__u64 sp = PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES;
	__u32 depth = thread->depth;
	struct pf_clocks *now = &thread->now;
	struct pf_frame *frame;

	if (depth && thread->frames[(depth - 1) % PF_MAX_DEPTH].sp <= sp) {
		spans_end_before(task, thread, ctx);
		depth = thread->depth;
	}
	/* Past its limit the kernel sees no return: a frame would stay open. A utask that is NULL reads as 0. */
	if (depth >= PF_MAX_DEPTH ||
	    (!(cookie & PF_COOKIE_BY_SITES) && task->utask->depth >= PF_MAX_RETURN_PROBES)) {
		count(PF_LOST_TOO_DEEP);
		return RETURN_NOT_WANTED;
	}
	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	frame = &thread->frames[depth % PF_MAX_DEPTH];
	frame->start_ns = now->now_ns;
	frame->sp = sp;
	frame->oncpu_ns = now->oncpu_ns;
	frame->runnable_ns = now->runnable_ns;
	frame->io_ns = now->io_ns;
	frame->joinpoint = cookie;
	frame->begin = PF_BEGIN_CALL;
	thread->depth = depth + 1;
	return RETURN_WANTED;
}

/*
 * With a session link a return comes only where the entry pushed a frame, so the stack pointer alone tells which that is.
 * Without, the return of a call that has no frame may come while another with the same stack pointer is open.
 */
#define ANY_JOINPOINT 0

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
		if (thread->frames[top].sp == sp &&
		    (joinpoint == ANY_JOINPOINT || thread->frames[top].joinpoint == joinpoint)) {
			found = top;
			break;
		}
		depth = top;
	}
	if (found == PF_MAX_DEPTH) {
		count(PF_COUNT_ENTERED_BEFORE);
		return 0;
	}
	spans_end(thread, ids, SPAN_HOW(found + 1, PF_END_UNWOUND));
	return spans_end(thread, ids, SPAN_HOW(found, PF_END_RETURN));
}

static __always_inline int span_close(struct task_struct *task, struct pf_thread *thread, __u64 sp, __u32 joinpoint)
{
	__u32 top = thread->depth - 1;
	struct pf_frame *frame;
	struct pf_clocks *now = &thread->now;

	pf_opaque(top);
	if (top >= PF_MAX_DEPTH) {
		count(PF_COUNT_ENTERED_BEFORE);
		return 0;
	}
	frame = &thread->frames[top];
	if (frame->sp != sp || (joinpoint != ANY_JOINPOINT && frame->joinpoint != joinpoint))
		return span_close_below(thread, task_ids(task), joinpoint, sp);
	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	thread->depth = top;
	span_emit(thread, now, task_ids(task), SPAN_HOW(top, PF_END_RETURN));
	return 0;
}

static __always_inline int mark_send(struct task_struct *task, struct pf_thread *thread, __u32 joinpoint)
{
	struct pf_event *mark = emit_reserve(this_ring(), struct pf_event);
	struct pf_clocks *now = &thread->now;

	if (!mark)
		return 0;
	clocks_read_own(now, thread);
	thread->last_ns = now->now_ns;
	emit_header(mark, PF_EVENT_MARK, sizeof(*mark), now->now_ns, task_ids(task));
	mark->joinpoint = joinpoint;
	bpf_ringbuf_submit(mark, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int enter(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_thread *thread = thread_in_scope(task);
	__u64 cookie;

	if (!thread)
		return RETURN_NOT_WANTED;
	cookie = bpf_get_attach_cookie(ctx);
	if (cookie & PF_COOKIE_LANDING) {
		spans_end_stale(thread, task_ids(task), PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES, false);
		return RETURN_NOT_WANTED;
	}
	if (cookie & PF_COOKIE_ENTRY_ONLY) {
		mark_send(task, thread, cookie);
		return RETURN_NOT_WANTED;
	}
	return span_open(task, thread, ctx, cookie);
}

static __always_inline int leave(struct pt_regs *ctx, bool is_session)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_thread *thread = thread_in_scope(task);

	if (thread)
		span_close(task, thread, PT_REGS_SP(ctx), is_session ? ANY_JOINPOINT : bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("uprobe")
int on_entry(struct pt_regs *ctx)
{
	enter(ctx);
	return 0;
}

SEC("uretprobe")
int on_return(struct pt_regs *ctx)
{
	return leave(ctx, false);
}

#if defined(__TARGET_ARCH_x86)
/* Whether a conditional jump is about to be taken: the conditions go in pairs, the odd one is the negation. */
static __always_inline bool condition_holds(struct pt_regs *ctx, __u32 condition)
{
	__u64 flags = ctx->eflags;
	bool carry = flags & 1, parity = flags & 4, zero = flags & 0x40, sign = flags & 0x80, overflow = flags & 0x800;
	bool holds;

	switch (condition >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry || zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign != overflow;
		break;
	default:
		holds = zero || sign != overflow;
	}
	return holds != (condition & 1);
}
#else
static __always_inline bool condition_holds(struct pt_regs *ctx, __u32 condition)
{
	return false; /* such exits are chosen on x86 alone */
}
#endif

SEC("uprobe")
int on_exit_site(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_thread *thread = thread_in_scope(task);
	__u64 cookie, sp = PT_REGS_SP(ctx) + RETURN_ADDRESS_BYTES;
	__u32 top;

	if (!thread)
		return 0;
	cookie = bpf_get_attach_cookie(ctx);
	if (cookie & PF_COOKIE_CONDITION && !condition_holds(ctx, cookie >> PF_COOKIE_CONDITION_SHIFT & 15))
		return 0;
	top = thread->depth - 1;
	pf_opaque(top);
	/* a call that was too deep to be followed, or a jump inside of a frame */
	if (top < PF_MAX_DEPTH && sp < thread->frames[top].sp)
		return 0;
	if (cookie & PF_COOKIE_EXIT_JUMP && (top >= PF_MAX_DEPTH || sp != thread->frames[top].sp))
		return 0;
	span_close(task, thread, sp, cookie);
	return 0;
}

/* Both in one, for session links (Linux 6.13). The function that tells them apart took no argument before 7.0. */
extern bool bpf_session_is_return(void *ctx) __ksym __weak;
extern bool bpf_session_is_return___before_7_0(void) __ksym __weak;

SEC("uprobe")
int on_call(struct pt_regs *ctx)
{
	bool is_return = bpf_ksym_exists(bpf_session_is_return) ? bpf_session_is_return(ctx)
								: bpf_session_is_return___before_7_0();

	return is_return ? leave(ctx, true) : enter(ctx);
}

char LICENSE[] SEC("license") = "GPL";
