/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's state: its open spans, and how long it ran, waited for a CPU and was blocked so far
 *
 * It is written by the thread's own probes, by the scheduler hooks on the CPU that it leaves or enters, and by the one
 * that wakes it; the scheduler's locks keep these apart, but for one case: a probe can be preempted, and the switch hooks
 * then change the clocks under it. n_switches tells that from before to after.
 */
#ifndef PERFFLOW_THREAD_BPF_H
#define PERFFLOW_THREAD_BPF_H

#include "kernel_types.bpf.h"
#include "perfflow/event.h"

#define PF_MAX_DEPTH 128	  /* open spans of a thread */
#define PF_MAX_RETURN_PROBES 64 /* the kernel's own limit on nested return probes */

#define pf_barrier() asm volatile("" ::: "memory")
/* The compiler may not derive what is indexed from another value than the one that was checked. */
#define pf_opaque(x) asm volatile("" : "+r"(x))
#define PF_READ_ONCE(x) (*(volatile typeof(x) *)&(x))

enum pf_thread_state { PF_THREAD_ONCPU, PF_THREAD_RUNNABLE, PF_THREAD_BLOCKED, PF_THREAD_IO };

struct pf_frame { /* an open span */
	__u64 start_ns;
	__u64 sp; /* as it will be when the function has returned */
	__u64 oncpu_ns, runnable_ns, io_ns; /* the thread's clocks at the start */
	__u32 joinpoint;
	__u32 begin; /* enum pf_begin */
};

struct pf_clocks {
	__u64 now_ns, oncpu_ns, runnable_ns, io_ns;
};

struct pf_thread {
	__u64 since_ns; /* when it came into its present state */
	__u64 oncpu_ns, runnable_ns, io_ns; /* up to since_ns */
	__u64 exec_offset_ns; /* of the boot clock to the scheduler's, at that time */
	__u64 exec_ns; /* the kernel's count of its CPU time when it left the CPU last, 0: not yet */
	__u64 last_ns; /* of the last entry or return: they strictly increase, so that spans nest */
	__u32 state;   /* enum pf_thread_state */
	__u32 n_switches;
	__u32 depth; /* frames in use */
	__u32 is_named; /* its name was sent */
	__u32 n_sent;	/* spans */
	__u32 reserved;
	/*
	 * Of the hook that runs: here and not on the stack, since from Linux 6.13 on a program that uses 64 bytes of stack gets
	 * a stack for each CPU, which the kernel does not keep other threads' probes out of where it can be preempted.
	 */
	struct pf_clocks now;
	struct pf_frame frames[PF_MAX_DEPTH];
};

struct pf_process { /* in scope */
	__u64 oncpu_ns; /* CPU time of its threads, up to their last switch */
	__u32 is_named;
	__u32 reserved;
};

static __always_inline void clocks_add(struct pf_clocks *clocks, const struct pf_thread *thread)
{
	/* since_ns is 0 for a moment after the state was made */
	__u64 passed_ns = thread->since_ns && clocks->now_ns > thread->since_ns ? clocks->now_ns - thread->since_ns : 0;
	__u32 state = thread->state;

	clocks->oncpu_ns = thread->oncpu_ns + (state == PF_THREAD_ONCPU ? passed_ns : 0);
	clocks->runnable_ns = thread->runnable_ns + (state == PF_THREAD_RUNNABLE ? passed_ns : 0);
	clocks->io_ns = thread->io_ns + (state == PF_THREAD_IO ? passed_ns : 0);
}

/* Entries and returns of a thread strictly increase. */
static __always_inline void clocks_advance(struct pf_clocks *clocks, const struct pf_thread *thread)
{
	if (clocks->now_ns <= thread->last_ns)
		clocks->now_ns = thread->last_ns + 1;
}

/* The clocks of any thread as of now. */
static __always_inline void clocks_read(struct pf_clocks *clocks, const struct pf_thread *thread)
{
	for (int i = 0; i < 4; i++) {
		__u32 n_switches = PF_READ_ONCE(thread->n_switches);

		pf_barrier();
		clocks->now_ns = bpf_ktime_get_boot_ns();
		clocks_add(clocks, thread);
		pf_barrier();
		if (n_switches == PF_READ_ONCE(thread->n_switches))
			break;
	}
	clocks_advance(clocks, thread);
}

/* Charges the time since the last change to the state that ends. */
static __always_inline void thread_change(struct pf_thread *thread, __u32 state, __u64 now_ns)
{
	struct pf_clocks clocks = { .now_ns = now_ns };

	clocks_add(&clocks, thread);
	thread->oncpu_ns = clocks.oncpu_ns;
	thread->runnable_ns = clocks.runnable_ns;
	thread->io_ns = clocks.io_ns;
	if (now_ns > thread->since_ns)
		thread->since_ns = now_ns;
	thread->state = state;
	thread->n_switches++;
}

/*
 * The thread leaves the CPU. Where its coming was not heard of (some kernels do not trace the switch from every task), the
 * kernel's own count tells how much of the time since then it ran.
 */
static __always_inline void thread_leave(struct pf_thread *thread, __u32 state, __u64 now_ns, __u64 exec_ns,
					 __u64 exec_start)
{
	__u64 passed_ns, ran_ns;

	if (thread->state != PF_THREAD_ONCPU && thread->exec_ns && now_ns > thread->since_ns) {
		passed_ns = now_ns - thread->since_ns;
		ran_ns = exec_ns - thread->exec_ns;
		if (ran_ns > passed_ns)
			ran_ns = passed_ns;
		thread_change(thread, PF_THREAD_ONCPU, now_ns - ran_ns);
	}
	thread_change(thread, state, now_ns);
	thread->exec_ns = exec_ns;
	thread->exec_offset_ns = now_ns - exec_start;
}

/* The same for a thread that is found on the CPU: the kernel's count lags behind by up to a tick. */
__weak __noinline int thread_arrived(struct pf_thread *thread, __u64 exec_ns, __u64 exec_start)
{
	__u64 now_ns = bpf_ktime_get_boot_ns(), counted_ns, ran_ns, passed_ns;

	if (!thread)
		return 0;
	ran_ns = exec_ns - thread->exec_ns;
	counted_ns = exec_start + thread->exec_offset_ns;
	if (thread->exec_offset_ns && now_ns > counted_ns)
		ran_ns += now_ns - counted_ns;
	passed_ns = now_ns > thread->since_ns ? now_ns - thread->since_ns : 0;
	thread_change(thread, PF_THREAD_ONCPU, now_ns - (ran_ns < passed_ns ? ran_ns : passed_ns));
	return 0;
}


/* The same for the present thread, which is on the CPU: once, unless it was preempted meanwhile. */
static __always_inline void clocks_read_own(struct pf_clocks *clocks, struct pf_thread *thread)
{
	__u32 n_switches = PF_READ_ONCE(thread->n_switches);

	pf_barrier();
	clocks->now_ns = bpf_ktime_get_boot_ns();
	clocks->oncpu_ns = thread->oncpu_ns + (clocks->now_ns - thread->since_ns);
	clocks->runnable_ns = thread->runnable_ns;
	clocks->io_ns = thread->io_ns;
	pf_barrier();
	if (thread->state != PF_THREAD_ONCPU) {
		struct task_struct *task = bpf_get_current_task_btf();

		thread_arrived(thread, task->se.sum_exec_runtime, task->se.exec_start);
		clocks_read(clocks, thread);
	} else if (n_switches != PF_READ_ONCE(thread->n_switches)) {
		clocks_read(clocks, thread);
	} else {
		clocks_advance(clocks, thread);
	}
}

#endif
