// SPDX-License-Identifier: GPL-2.0-only
/*
 * On the CPU, waiting for one, or blocked: the clocks of threads, processes and CPUs
 *
 * Only processes in scope pay more than two failed look-ups per switch. Of the two wake-up events the later one is used
 * (sched_wakeup, not sched_waking): the thread is in a run queue by then, and it cannot come before its own switch-out.
 */
#include "filter.bpf.h"

static __always_inline void switch_out(struct task_struct *prev, bool preempt, __u64 ran_ns, __u64 now_ns)
{
	struct pf_process *process = process_in_scope(prev->tgid);
	struct pf_thread *thread;
	__u32 state;

	if (!process)
		return;
	__sync_fetch_and_add(&process->oncpu_ns, ran_ns);
	thread = bpf_task_storage_get(&threads, prev, NULL, 0);
	if (!thread)
		return;
	/* __state, not the event's own argument: that is missing before 5.18, and wrong where a signal ended the sleep */
	state = prev->__state;
	if (preempt || state == TASK_RUNNING)
		state = PF_THREAD_RUNNABLE;
	else
		state = state & TASK_UNINTERRUPTIBLE ? PF_THREAD_IO : PF_THREAD_BLOCKED;
	thread_leave(thread, state, now_ns, prev->se.sum_exec_runtime, prev->se.exec_start);
}

static __always_inline void switch_in(struct task_struct *next, __u64 now_ns)
{
	struct pf_thread *thread;

	if (!process_in_scope(next->tgid))
		return;
	thread = bpf_task_storage_get(&threads, next, NULL, 0);
	if (thread)
		thread_change(thread, PF_THREAD_ONCPU, now_ns);
}

/* Charges the CPU's time since its last switch, which is returned, and notes who has it now. */
static __always_inline __u64 cpu_switch(struct task_struct *next, __u64 now_ns)
{
	struct pf_cpu *cpu = this_cpu();
	__u64 ran_ns;

	if (!cpu)
		return 0;
	ran_ns = cpu->since_ns && now_ns > cpu->since_ns ? now_ns - cpu->since_ns : 0;
	cpu->seq++;
	pf_barrier();
	if (cpu->pid)
		cpu->busy_ns += ran_ns;
	else
		cpu->idle_ns += ran_ns;
	cpu->since_ns = now_ns;
	cpu->pid = next->pid;
	cpu->tgid = next->tgid;
	pf_barrier();
	cpu->seq++;
	return ran_ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	__u64 ran_ns = cpu_switch(next, now_ns);

	if (prev->pid)
		switch_out(prev, preempt, ran_ns, now_ns);
	if (next->pid)
		switch_in(next, now_ns);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct pf_thread *thread;

	if (!process_in_scope(task->tgid))
		return 0;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && (thread->state == PF_THREAD_BLOCKED || thread->state == PF_THREAD_IO))
		thread_change(thread, PF_THREAD_RUNNABLE, bpf_ktime_get_boot_ns());
	return 0;
}

/* Run by the daemon once on each CPU: who has it when the session begins, since it may not switch for long. */
SEC("raw_tp/sched_switch")
int on_cpu_present(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_cpu *cpu = this_cpu();

	if (cpu && !cpu->since_ns)
		cpu_switch(task, bpf_ktime_get_boot_ns());
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
