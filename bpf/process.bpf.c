// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork, exec, exit: who is in scope, and what becomes of the spans that are open there
 *
 * A child is born inside of all functions that its parent's thread is in, and returns from them as its parent does: its
 * spans begin at the fork.
 */
#include "span.bpf.h"

/* What was taken at the entry, and what has begun there, stays the parent's; but the end of a region has to find it. */
static __always_inline __u8 frame_flags_inherited(__u8 flags)
{
	bool is_silent = flags & (PF_FRAME_SILENT | PF_FRAME_MARKS | PF_FRAME_REGION);

	return (flags & PF_FRAME_REGION) | (is_silent ? PF_FRAME_SILENT : 0);
}

/* A function that the kernel checks once, and not for each way on which it is come to. */
__noinline int frames_inherit(struct pf_thread *child, const struct pf_thread *parent, __u64 now_ns)
{
	__u32 depth;

	if (!child || !parent)
		return 0;
	depth = parent->depth;
	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		if ((__u32)i >= depth)
			break;
		child->frames[i].start_ns = now_ns + i;
		child->frames[i].oncpu_ns = child->frames[i].runnable_ns = child->frames[i].io_ns = 0;
		child->frames[i].sp = parent->frames[i].sp;
		child->frames[i].joinpoint = parent->frames[i].joinpoint;
		child->frames[i].begin = PF_BEGIN_FORK;
		child->frames[i].advice = parent->frames[i].advice;
		child->frames[i].flags = frame_flags_inherited(parent->frames[i].flags);
		child->frames[i].atoms = parent->frames[i].atoms;
		child->frames[i].outer_atoms = parent->frames[i].outer_atoms;
	}
	child->depth = depth;
	child->atoms = parent->atoms;
	child->last_ns = now_ns + PF_MAX_DEPTH;
	child->since_ns = now_ns;
	child->state = PF_THREAD_RUNNABLE;
	return 0;
}

static __always_inline void emit_fork(struct task_struct *parent, struct task_struct *child)
{
	struct pf_fork *fork = emit_reserve(this_ring(), struct pf_fork, child->tgid);

	if (!fork)
		return;
	emit_header(&fork->event, PF_EVENT_FORK, sizeof(*fork), bpf_ktime_get_boot_ns(), task_ids(child));
	fork->parent_pid = parent->tgid;
	fork->parent_tid = parent->pid;
	bpf_ringbuf_submit(fork, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct pf_thread *parent_thread, *child_thread;
	struct pf_process *process;

	if (!process_in_scope(parent->tgid) || (only_one_user && !task_is_own(parent)))
		return 0;
	if (child->tgid == parent->tgid) {
		emit_fork(parent, child);
		emit_thread(child, child->comm); /* it may meet no probe */
		return 0;
	}
	process = process_enter_scope(child->tgid);
	if (!process)
		return 0;
	process->is_named = 1;
	process_announce(child, process, false, 0); /* all but its command line is known from its parent */
	emit_fork(parent, child);
	emit_thread(child, child->comm);
	if (only_one_user)
		change_send(PF_CHANGE_BORN, child->tgid);

	parent_thread = thread_of(parent);
	if (!parent_thread || !parent_thread->depth)
		return 0;
	child_thread = thread_make(child);
	if (!child_thread) {
		lose(PF_LOST_NO_THREAD_STATE, 0, child->tgid);
		return 0;
	}
	frames_inherit(child_thread, parent_thread, bpf_ktime_get_boot_ns());
	return 0;
}

/*
 * The end of the session may come upon a thread that executes a program or ends itself, on another CPU: one of them sends what
 * is open.
 */
static __always_inline bool thread_end_spans(struct task_struct *task, struct pf_thread *thread, __u64 ids, __u32 how)
{
	if (__sync_lock_test_and_set(&thread->is_ending, 1))
		return false;
	if (thread->blocked_ns)
		thread_settle(thread, task_delay_ns(task));
	spans_end(thread, ids, how);
	return true;
}

static __always_inline void process_end(struct task_struct *task, struct pf_process *process, bool has_left)
{
	struct pf_process_end *end = emit_reserve(this_ring(), struct pf_process_end, task->tgid);
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct pf_cpu_clock *cpu = this_cpu_clock();
	__u32 tgid = task->tgid;
	int group_exit_code;

	if (end) {
		emit_header(&end->event, PF_EVENT_PROCESS_END, sizeof(*end), now_ns, task_ids(task));
		end->oncpu_ns = process->oncpu_ns + (cpu ? process_slice(process, cpu->since_ns, now_ns) : 0);
		group_exit_code = BPF_CORE_READ(task, signal, group_exit_code);
		end->exit_code = has_left ? 0 : group_exit_code ?: task->exit_code;
		end->has_left = has_left;
		bpf_ringbuf_submit(end, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&processes, &tgid);
	bpf_map_delete_elem(&verdicts, &tgid);
}

/* old_pid is the id that the thread had: one that is not the first of its process becomes it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid)
{
	struct pf_thread *thread;
	struct pf_process *process;
	__u32 tgid = task->tgid;
	bool has_left;

	process = process_in_scope(tgid);
	if (!process)
		return 0;
	thread = thread_of(task);
	if (thread && thread_end_spans(task, thread, (__u64)tgid << 32 | (__u32)old_pid, SPAN_HOW(0, PF_END_EXEC)))
		thread->is_ending = 0;
	if (thread)
		thread->metrics = PF_METRICS_UNDECIDED;
	has_left = only_one_user && !task_is_own(task);
	if (only_one_user)
		change_send(has_left ? PF_CHANGE_LEFT : (__u32)old_pid == tgid ? PF_CHANGE_EXEC : PF_CHANGE_EXEC_BY_THREAD, tgid);
	if (scope_is_all || has_left) { /* what it runs now has to show by itself that it is in scope */
		process_end(task, process, true);
		if (thread)
			slot_release(thread);
		thread_leave_place(task);
		bpf_task_storage_delete(&threads, task);
		return 0;
	}
	process_announce(task, process, true, old_pid);
	emit_thread(task, task->comm);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_EXIT 60
#define PT_REGS_SYSCALL(regs) ((regs)->orig_rax)
#else
#define SYSCALL_EXIT 93
#define PT_REGS_SYSCALL(regs) (((struct user_pt_regs *)(regs))->regs[8])
#endif

/*
 * A thread that ended by itself comes here a moment after those that join it have gone on, and they may have ended the
 * process by then: what it called tells.
 */
static __always_inline enum pf_end thread_end_kind(struct task_struct *task, bool is_last)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	bool group_exits = BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT;

	if (regs && (int)PT_REGS_SYSCALL(regs) == SYSCALL_EXIT)
		return is_last && !group_exits ? PF_END_PROCESS_EXIT : PF_END_THREAD_EXIT;
	return is_last || group_exits ? PF_END_PROCESS_EXIT : PF_END_THREAD_EXIT;
}

/*
 * The present thread is exiting. Of two that exit at once the one that is counted last may come here first, and take the
 * process away: the other's spans end all the same. Whoever comes a second time finds nothing to do.
 */
int thread_end(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_thread *thread = thread_of(task);
	bool is_last = BPF_CORE_READ(task, signal, live.counter) == 0;
	bool is_hidden = only_one_user && !task_is_own(task);
	struct pf_process *process;

	if (thread && (is_hidden || thread_end_spans(task, thread, task_ids(task), SPAN_HOW(0, thread_end_kind(task, is_last))))) {
		slot_release(thread);
		thread_leave_place(task);
	}
	process = process_in_scope(task->tgid);
	if (!process || !is_last)
		return 0;
	process_end(task, process, is_hidden);
	if (only_one_user)
		change_send(PF_CHANGE_END, task->tgid);
	return 0;
}

/*
 * From Linux 7.0 on these hooks can be preempted, and the kernel leaves out a program that meets itself on a CPU: of threads
 * that exit at once one may not come by here. on_switch() ends it when it leaves its CPU for good.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	return thread_end();
}

/* What a process executes names it before it has that program's rights: on_exec() tells of the name where it may be told. */
static __always_inline bool is_name_of_others(struct task_struct *task)
{
	return BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) || !task_is_own(task);
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *comm)
{
	if (process_in_scope(task->tgid) && !(only_one_user && is_name_of_others(task)))
		emit_thread(task, comm);
	return 0;
}

/* One that waits for a CPU since it was woken has not come back to tell since when; the kernel's two clocks do. */
static __always_inline void thread_note_wakeup(struct pf_thread *thread, const struct task_struct *task)
{
	__u64 now_ns = bpf_ktime_get_boot_ns(), queued_ns;

	if (!by_run_delay || !thread->exec_offset_ns || !task->sched_info.last_queued ||
	    (thread->state != PF_THREAD_BLOCKED && thread->state != PF_THREAD_IO))
		return;
	queued_ns = task->sched_info.last_queued + thread->exec_offset_ns;
	thread_change(thread, PF_THREAD_RUNNABLE, queued_ns < now_ns ? queued_ns : now_ns);
}

/* Run by the daemon when the session stops and its probes are disarmed: what is still open ends here. */
SEC("iter/task")
int on_stop(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pf_thread *thread;

	if (!task)
		return 0;
	thread = thread_of(task);
	if (!thread || !thread->depth || (only_one_user && !task_is_own(task)))
		return 0;
	thread_note_wakeup(thread, task);
	thread_end_spans(task, thread, task_ids(task), SPAN_HOW(0, PF_END_SESSION_STOP));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
