/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread's state: its open spans, and how long it ran, waited for a CPU and was blocked so far
 *
 * It is written by the thread's own probes, by the scheduler hooks on the CPU that it leaves or enters, and where those
 * are attached by the one that wakes it; the scheduler's locks keep these apart, but for one case: a probe can be preempted,
 * and the switch hooks then change the clocks under it. n_switches tells that from before to after.
 *
 * A thread that comes back to a CPU was blocked, and after its wake-up waited for the CPU. What of that time it waited the
 * kernel counts itself, a moment after the switch: the whole is charged as blocked, and put right when it is asked for. So
 * nothing need be attached to the machine's wake-ups.
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

const volatile __u32 by_run_delay __weak = 0; /* the kernel's count tells what a thread waits for a CPU, and not its wake-up */

enum pf_frame_flags {
	PF_FRAME_SILENT = 1,	/* nothing is sent of it: it is there for its atoms, or to be left out */
	PF_FRAME_HAS_ITEMS = 2, /* its record has been begun: see items.bpf.h */
	PF_FRAME_MARKS = 4,	/* it makes marks and no span */
	PF_FRAME_REGION = 8,	/* no call: it has the stack pointer of the call that it is in, and no return ends it */
	PF_FRAME_WOVEN = 16,	/* a region that is a call all the same: see woven_open() */
	PF_FRAME_HAS_METRICS = 32, /* its record has those of the entry */
};

enum pf_thread_metrics { PF_METRICS_UNDECIDED, PF_METRICS_WANTED, PF_METRICS_LEFT_OUT };

struct pf_frame { /* an open span */
	__u64 start_ns;
	__u64 sp; /* as it will be when the function has returned */
	__u64 oncpu_ns, runnable_ns, io_ns; /* the thread's clocks at the start */
	__u32 joinpoint;
	__u16 advice; /* number of its struct pf_advice, 0: a plain span */
	__u8 begin;   /* enum pf_begin */
	__u8 flags;   /* enum pf_frame_flags */
	__u32 atoms;  /* as they are sent with it */
	__u32 outer_atoms; /* of the thread, when it has returned */
};

struct pf_clocks {
	__u64 now_ns, oncpu_ns, runnable_ns, io_ns;
};

struct pf_thread {
	__u64 since_ns; /* when it came into its present state */
	__u64 oncpu_ns, runnable_ns, io_ns; /* up to since_ns */
	__u64 exec_offset_ns; /* of the boot clock to the scheduler's, at that time */
	__u64 exec_ns; /* the kernel's count of its CPU time when it left the CPU last, 0: not yet */
	__u64 delay_ns; /* and that of its time in run queues */
	__u64 blocked_ns; /* since then, with what it waited after the wake-up; 0: that is told apart already */
	__u32 blocked_state; /* what it was charged as */
	__u64 last_ns; /* of the last entry or return: they strictly increase, so that spans nest */
	__u32 state;   /* enum pf_thread_state */
	__u32 n_switches;
	__u32 depth; /* frames in use */
	__u32 is_named; /* its name was sent */
	__u32 n_sent;	/* spans */
	__u32 atoms;	/* of open frames: the cflow() that the thread is inside of */
	__u32 slot;	/* 1 + its place in the map of records under construction, 0: none yet */
	__u32 n_too_deep; /* regions that have begun and found no frame */
	__u32 hits_left, hits_stride; /* until a hit is looked at, and from the last one that was */
	__u64 hit_ns;	   /* when the one that is looked at began, else 0 */
	__u32 hit_switches; /* n_switches at that time */
	__u32 is_ending;  /* somebody ends all that is open */
	__u64 region_sp; /* where the youngest region that has a frame began */
	__u64 task;	 /* where it has a place: the address of its task, 0 when it has ended */
	__u64 task_start_ns; /* the same address may be another's, if that end was not seen */
	__u32 place;	 /* 1 + its place in the array of those that are found without a call, 0: none */
	__u32 metrics;	 /* enum pf_thread_metrics, with metrics_by_process */
	/* What was found out of an entry, before its frame is pushed. */
	__u32 entering_atoms, entering_sets;
	__u32 entering_flags, entering_kind;
	__s64 hw[PF_MAX_HW]; /* perf counters, counted up to its last switch-out */
	/*
	 * Of the hook that runs: here and not on the stack, since from Linux 6.13 on a program that uses 64 bytes of stack gets
	 * a stack for each CPU, which the kernel does not keep other threads' probes out of where it can be preempted.
	 */
	struct pf_clocks now;
	struct pf_span span;
	struct pf_frame frames[PF_MAX_DEPTH];
};

struct pf_process { /* in scope */
	__u64 oncpu_ns; /* CPU time of its threads, up to their last switch */
	__u64 since_ns; /* when it came into scope */
	__u64 generation; /* when the program that it runs was announced: the time of its PROCESS record */
	__u32 is_named;
	__u32 reserved;
};

/* The CPU time of a thread of it that came to its CPU at that time, 0 if that is not known. */
static __always_inline __u64 process_slice(const struct pf_process *process, __u64 came_ns, __u64 now_ns)
{
	__u64 from_ns = came_ns > process->since_ns ? came_ns : process->since_ns;

	return came_ns && now_ns > from_ns ? now_ns - from_ns : 0;
}

_Static_assert(sizeof(struct pf_process) == 32, "the daemon reads it: struct attach_process");

/* An index that the compiler knows to be in range the verifier may not: it sees that it is in range here. */
static __always_inline struct pf_frame *frame_at(struct pf_thread *thread, __u32 index)
{
	pf_opaque(index);
	return &thread->frames[index % PF_MAX_DEPTH];
}

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

/* A moment of its own between two of those, or of these. */
static __always_inline __u64 thread_mark(struct pf_thread *thread, __u64 now_ns)
{
	if (now_ns <= thread->last_ns)
		now_ns = thread->last_ns + 1;
	thread->last_ns = now_ns;
	return now_ns;
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

/* The thread comes to the CPU. */
static __always_inline void thread_come(struct pf_thread *thread, __u64 now_ns)
{
	if (by_run_delay && (thread->state == PF_THREAD_BLOCKED || thread->state == PF_THREAD_IO) && now_ns > thread->since_ns) {
		thread->blocked_state = thread->state;
		thread->blocked_ns = now_ns - thread->since_ns;
	}
	thread_change(thread, PF_THREAD_ONCPU, now_ns);
}

static __always_inline __u64 task_delay_ns(const struct task_struct *task)
{
	return by_run_delay ? task->sched_info.run_delay : 0;
}

/*
 * Tells what it waited for the CPU from what it was blocked, by the kernel's count as of now. Its own probe may be preempted
 * in here by the hook that does the same: one of them has the time to be told apart.
 */
static __always_inline void thread_settle(struct pf_thread *thread, __u64 delay_ns)
{
	__u64 waited_ns = delay_ns - PF_READ_ONCE(thread->delay_ns), blocked_ns;

	pf_barrier();
	blocked_ns = __sync_lock_test_and_set(&thread->blocked_ns, 0);
	if (waited_ns > blocked_ns)
		waited_ns = blocked_ns;
	__sync_fetch_and_add(&thread->runnable_ns, waited_ns);
	if (thread->blocked_state == PF_THREAD_IO)
		__sync_fetch_and_add(&thread->io_ns, -waited_ns);
}

/*
 * The thread leaves the CPU. Where its coming was not heard of (some kernels do not trace the switch from every task), the
 * kernel's own count tells how much of the time since then it ran.
 */
static __always_inline void thread_leave(struct pf_thread *thread, __u32 state, __u64 now_ns,
					 const struct task_struct *task)
{
	__u64 exec_ns = task->se.sum_exec_runtime, passed_ns, ran_ns;

	if (thread->state != PF_THREAD_ONCPU && thread->exec_ns && now_ns > thread->since_ns) {
		passed_ns = now_ns - thread->since_ns;
		ran_ns = exec_ns - thread->exec_ns;
		if (ran_ns > passed_ns)
			ran_ns = passed_ns;
		thread_come(thread, now_ns - ran_ns);
	}
	if (thread->blocked_ns)
		thread_settle(thread, task_delay_ns(task));
	thread_change(thread, state, now_ns);
	thread->exec_ns = exec_ns;
	thread->exec_offset_ns = now_ns - task->se.exec_start;
	thread->delay_ns = task_delay_ns(task);
}

/* The same for a thread that is found on the CPU: the kernel's count lags behind by up to a tick. */
__weak __noinline int thread_arrived(struct pf_thread *thread, __u64 exec_ns, __u64 exec_start, __u64 delay_ns)
{
	__u64 now_ns = bpf_ktime_get_boot_ns(), counted_ns, ran_ns, passed_ns;

	if (!thread)
		return 0;
	ran_ns = exec_ns - thread->exec_ns;
	counted_ns = exec_start + thread->exec_offset_ns;
	if (thread->exec_offset_ns && now_ns > counted_ns)
		ran_ns += now_ns - counted_ns;
	passed_ns = now_ns > thread->since_ns ? now_ns - thread->since_ns : 0;
	thread_come(thread, now_ns - (ran_ns < passed_ns ? ran_ns : passed_ns));
	if (thread->blocked_ns)
		thread_settle(thread, delay_ns);
	return 0;
}

/* The same for the present thread, which is on the CPU: once, unless it was preempted meanwhile. */
static __always_inline void clocks_read_own(struct pf_clocks *clocks, struct pf_thread *thread)
{
	struct task_struct *task;
	__u32 n_switches;

	if (thread->blocked_ns)
		thread_settle(thread, task_delay_ns(bpf_get_current_task_btf()));
	n_switches = PF_READ_ONCE(thread->n_switches);
	pf_barrier();
	clocks->now_ns = bpf_ktime_get_boot_ns();
	clocks->oncpu_ns = thread->oncpu_ns + (clocks->now_ns - thread->since_ns);
	clocks->runnable_ns = thread->runnable_ns;
	clocks->io_ns = thread->io_ns;
	pf_barrier();
	if (thread->state != PF_THREAD_ONCPU) {
		task = bpf_get_current_task_btf();
		thread_arrived(thread, task->se.sum_exec_runtime, task->se.exec_start, task_delay_ns(task));
		clocks_read(clocks, thread);
	} else if (n_switches != PF_READ_ONCE(thread->n_switches)) {
		clocks_read(clocks, thread);
	} else {
		clocks_advance(clocks, thread);
	}
}

#endif
