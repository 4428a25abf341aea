// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork, exec, exit: who is in scope, and what becomes of the spans that are open there
 *
 * A child is born inside of all functions that its parent's thread is in, and returns from them as its parent does: its
 * spans begin at the fork.
 */
#include "span.bpf.h"

static __always_inline void frames_inherit(struct pf_thread *child, const struct pf_thread *parent, __u64 now_ns)
{
	__u32 depth = parent->depth;

	for (int i = 0; i < PF_MAX_DEPTH; i++) {
		if ((__u32)i >= depth)
			break;
		child->frames[i].start_ns = now_ns + i;
		child->frames[i].sp = parent->frames[i].sp;
		child->frames[i].joinpoint = parent->frames[i].joinpoint;
		child->frames[i].begin = PF_BEGIN_FORK;
	}
	child->depth = depth;
	child->last_ns = now_ns + PF_MAX_DEPTH;
	child->since_ns = now_ns;
	child->state = PF_THREAD_RUNNABLE;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct pf_thread *parent_thread, *child_thread;
	struct pf_process *process;

	if (child->tgid == parent->tgid || !process_in_scope(parent->tgid))
		return 0;
	process = process_enter_scope(child->tgid);
	if (!process)
		return 0;
	process->is_named = 1;
	emit_process(child);

	parent_thread = bpf_task_storage_get(&threads, parent, NULL, 0);
	if (!parent_thread || !parent_thread->depth)
		return 0;
	child_thread = bpf_task_storage_get(&threads, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!child_thread) {
		count(PF_LOST_NO_THREAD_STATE);
		return 0;
	}
	frames_inherit(child_thread, parent_thread, bpf_ktime_get_boot_ns());
	return 0;
}

/* old_pid is the id that the thread had: one that is not the first of its process becomes it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid)
{
	struct pf_thread *thread;
	__u32 tgid = task->tgid;

	if (!process_in_scope(tgid))
		return 0;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread) {
		spans_end(thread, (__u64)tgid << 32 | (__u32)old_pid, SPAN_HOW(0, PF_END_EXEC));
		thread->is_named = 0;
	}
	if (scope_is_all) { /* what it runs now has to show by itself that it is in scope */
		bpf_map_delete_elem(&processes, &tgid);
		bpf_task_storage_delete(&threads, task);
		return 0;
	}
	emit_process(task);
	return 0;
}

static __always_inline void process_end(struct task_struct *task, struct pf_process *process)
{
	struct pf_process_end *end = emit_reserve(this_ring(), struct pf_process_end);
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct pf_cpu *cpu = this_cpu();
	__u32 tgid = task->tgid;
	int group_exit_code;

	if (end) {
		emit_header(&end->event, PF_EVENT_PROCESS_END, sizeof(*end), now_ns, task_ids(task));
		end->oncpu_ns = process->oncpu_ns;
		if (cpu && cpu->since_ns && now_ns > cpu->since_ns)
			end->oncpu_ns += now_ns - cpu->since_ns;
		group_exit_code = BPF_CORE_READ(task, signal, group_exit_code);
		end->exit_code = group_exit_code ?: task->exit_code;
		end->reserved = 0;
		bpf_ringbuf_submit(end, BPF_RB_NO_WAKEUP);
	}
	bpf_map_delete_elem(&processes, &tgid);
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
 * Of two threads that exit at once the one that is counted last may come here first, and take the process away: the other's
 * spans end all the same.
 */
static __always_inline void thread_end(struct task_struct *task)
{
	struct pf_thread *thread = bpf_task_storage_get(&threads, task, NULL, 0);
	bool is_last = BPF_CORE_READ(task, signal, live.counter) == 0;
	struct pf_process *process;

	if (thread)
		spans_end(thread, task_ids(task), SPAN_HOW(0, thread_end_kind(task, is_last)));
	process = process_in_scope(task->tgid);
	if (process && is_last)
		process_end(task, process);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	thread_end(task);
	return 0;
}

/*
 * The same again. From Linux 7.0 on these hooks can be preempted, and the kernel leaves out a program that meets itself on a
 * CPU: of threads that exit at once one would keep its spans to itself. Where the first has run, this one finds nothing to do.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_again, struct task_struct *task)
{
	thread_end(task);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *comm)
{
	struct pf_thread *thread;

	if (!process_in_scope(task->tgid))
		return 0;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && thread->is_named)
		emit_thread(task, comm);
	return 0;
}

/* Run by the daemon when the session stops and its probes are disarmed: what is still open ends here. */
SEC("iter/task")
int on_stop(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pf_thread *thread;

	if (!task)
		return 0;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && thread->depth)
		spans_end(thread, task_ids(task), SPAN_HOW(0, PF_END_SESSION_STOP));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
