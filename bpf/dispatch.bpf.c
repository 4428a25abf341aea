// SPDX-License-Identifier: GPL-2.0-only
/* The dispatcher: an object of its own, of which the daemon loads one for so many sessions */
#include "thread.bpf.h"
#include "dispatch.bpf.h"

/* Sessions that want to be told of every switch. */
__u32 wants_all = 0;

static __always_inline __u32 marks_of(const struct task_struct *task)
{
	__u32 *marks = scope_mark(task->tgid);

	return marks ? *marks : 0;
}

/*
 * Of the time since the last switch, what the task that leaves had. Some kernels do not trace the switch from every task: where
 * another was noted than the one that leaves, the kernel's own count of its CPU time tells since when it was there.
 */
static __always_inline __u64 part_of(const struct pf_cpu_clock *cpu, const struct task_struct *task, __u64 passed_ns)
{
	__u64 ran_ns;

	if (cpu->pid == PF_OTHERS)
		return task->pid ? passed_ns : 0; /* they had it for longer, it may be, than it was idle unseen */
	if (cpu->pid == (__u32)task->pid || !task->pid)
		return passed_ns;
	ran_ns = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	return ran_ns < passed_ns ? ran_ns : passed_ns;
}

static __always_inline void charge(struct pf_cpu_clock *cpu, __u32 pid, __u64 ns)
{
	if (pid)
		cpu->busy_ns += ns;
	else
		cpu->idle_ns += ns;
}

/* Charges the CPU's time since its last switch, and notes who has it now. */
static __always_inline void cpu_switch(struct pf_cpu_clock *cpu, const struct task_struct *prev, const struct task_struct *next,
				       __u64 now_ns)
{
	__u64 passed_ns = cpu->since_ns && now_ns > cpu->since_ns ? now_ns - cpu->since_ns : 0;
	__u64 ran_ns = part_of(cpu, prev, passed_ns);

	cpu->seq++;
	pf_barrier();
	charge(cpu, prev->pid, ran_ns);
	if (ran_ns < passed_ns)
		charge(cpu, cpu->pid, passed_ns - ran_ns);
	cpu->since_ns = now_ns;
	cpu->pid = next->pid;
	cpu->tgid = next->tgid;
	pf_barrier();
	cpu->seq++;
	cpu->ran_ns = ran_ns;
}

/* From one task that nobody asks for to another the CPU goes on being busy, and that is all there is to know. */
static __always_inline void cpu_has_others(struct pf_cpu_clock *cpu)
{
	if (cpu->tgid != PF_OTHERS) {
		cpu->tgid = PF_OTHERS;
		cpu->pid = PF_OTHERS;
		cpu->left_marks = cpu->came_marks = 0;
	}
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_any_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 left_marks = marks_of(prev), came_marks = marks_of(next), to_tell = wants_all | left_marks | came_marks;
	struct pf_cpu_clock *cpu = this_cpu_clock();

	if (!cpu)
		return 0;
	if (!to_tell && prev->pid && next->pid && cpu->pid) {
		cpu_has_others(cpu);
		return 0;
	}
	cpu_switch(cpu, prev, next, bpf_ktime_get_boot_ns());
	cpu->left_marks = left_marks;
	cpu->came_marks = came_marks;
	cpu->to_tell = to_tell;
	tell_next(ctx, cpu);
	return 0;
}

/*
 * Run by the daemon on a CPU: who has it, since it may not switch for long. In the beginning, and where it is not noted and may be
 * of a process that has just come into scope.
 */
SEC("raw_tp/sched_switch")
int on_present(void *ctx)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct pf_cpu_clock *cpu = this_cpu_clock();

	if (cpu && (!cpu->since_ns || cpu->tgid == PF_OTHERS))
		cpu_switch(cpu, current, current, bpf_ktime_get_boot_ns());
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
