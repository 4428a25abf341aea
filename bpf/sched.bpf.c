// SPDX-License-Identifier: GPL-2.0-only
/*
 * On the CPU, waiting for one, or blocked: the clocks of threads and processes
 *
 * Each switch comes here that may be of a task in scope: see dispatch.bpf.h. Wake-ups are looked at where
 * the scheduler's view shows them, or the kernel does not count the wait that follows. Of the two events the later one is
 * used for that (sched_wakeup, not sched_waking): the thread is in a run queue by then, and it cannot come before its own
 * switch-out.
 */
#include "filter.bpf.h"
#include "metrics.bpf.h"

static __always_inline __u32 state_left(struct task_struct *prev, bool preempt)
{
	/* __state, not the event's own argument: that is missing before 5.18, and wrong where a signal ended the sleep */
	__u32 state = prev->__state;

	if (preempt || state == TASK_RUNNING)
		return PF_THREAD_RUNNABLE;
	if (state & TASK_DEAD)
		return PF_THREAD_DEAD;
	return state & TASK_UNINTERRUPTIBLE ? PF_THREAD_IO : PF_THREAD_BLOCKED;
}

int thread_end(void);

static __always_inline void switch_out(struct task_struct *prev, __u32 state, __u64 came_ns, __u64 now_ns,
				       struct pf_thread **ret_thread)
{
	struct pf_process *process;
	struct pf_thread *thread;

	if (state == PF_THREAD_DEAD)
		thread_end();
	process = process_in_scope(prev->tgid);
	if (!process || (only_one_user && !task_is_own(prev)))
		return;
	__sync_fetch_and_add(&process->oncpu_ns, process_slice(process, came_ns, now_ns));
	thread = thread_of(prev);
	if (!thread)
		return;
	*ret_thread = thread;
	thread_leave(thread, state, now_ns, prev);
}

static __always_inline void switch_in(struct task_struct *next, __u64 now_ns)
{
	struct pf_thread *thread = thread_of(next);

	if (thread)
		thread_come(thread, now_ns);
}

static __always_inline void emit_switch(struct task_struct *prev, struct task_struct *next, __u32 state, __u64 now_ns)
{
	struct pf_switch *record = emit_reserve(this_ring(), struct pf_switch, next->tgid);

	if (!record)
		return;
	emit_header(&record->event, PF_EVENT_SWITCH, sizeof(*record), now_ns, task_ids(next));
	record->cpu = bpf_get_smp_processor_id();
	record->left_pid = prev->tgid;
	record->left_tid = prev->pid;
	record->left_state = state;
	record->priority = next->prio;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), next->comm);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP); /* a wake-up from in here would end in the scheduler again */
}

/* Called by the dispatcher, which has put the CPU's clock right; or attached behind it, where the kernel allows no such call. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct pf_cpu_clock *cpu = this_cpu_clock();
	struct pf_thread *left = NULL;
	__u64 now_ns;
	__u32 state;

	if (!cpu)
		return 0;
	now_ns = cpu->since_ns;
	state = state_left(prev, preempt);
	if (with_sched)
		emit_switch(prev, next, state, now_ns);
	if (cpu->left_marks & session_bit)
		switch_out(prev, state, now_ns - cpu->ran_ns, now_ns, &left);
	hw_switch(left);
	if (cpu->came_marks & session_bit)
		switch_in(next, now_ns);
	if (tells_next)
		tell_next(ctx, cpu);
	return 0;
}

#define TASK_STACK_BYTES 16384 /* THREAD_SIZE, or less than it */

#if defined(__TARGET_ARCH_x86)
/* An interrupt out of user mode stays on the thread's stack: there is no system call then. */
static __always_inline bool is_in_system_call(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	return (long)regs->orig_rax >= 0;
}
#else
static __always_inline bool is_in_system_call(struct task_struct *task)
{
	return true;
}
#endif

/*
 * Where an interrupt wakes, the thread that it came upon has no part in it. Interrupts have a stack of their own, and the
 * arguments of the event lie on the stack of who raised it.
 */
static __always_inline bool is_interrupt(const void *ctx, struct task_struct *task)
{
	__u64 at = 0;

	bpf_probe_read_kernel(&at, sizeof(at), &ctx); /* the verifier lets nobody count with ctx itself */
	return at - (__u64)BPF_CORE_READ(task, stack) >= TASK_STACK_BYTES || !is_in_system_call(task);
}

struct pf_waker {
	__u64 ids; /* 0: an interrupt */
	__u64 time_ns;
};

/* Who is about to wake a thread, by its id: it may come into its run queue on another CPU, where nobody knows any more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct pf_waker);
} wakers SEC(".maps");

static __always_inline void emit_wake(struct task_struct *task)
{
	struct pf_wake *record = emit_reserve(this_ring(), struct pf_wake, task->tgid);
	__u64 now_ns = bpf_ktime_get_boot_ns();
	__u32 tid = task->pid;
	struct pf_waker *waker = bpf_map_lookup_elem(&wakers, &tid);

	if (!record)
		return;
	emit_header(&record->event, PF_EVENT_WAKE, sizeof(*record), now_ns, task_ids(task));
	record->waker_pid = waker ? waker->ids >> 32 : 0;
	record->waker_tid = waker ? waker->ids : 0;
	record->cpu = task->wake_cpu;
	record->lead_ns = waker && waker->time_ns < now_ns && now_ns - waker->time_ns < ~0U ? now_ns - waker->time_ns : 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Comes on the waker's CPU always. Loaded with the scheduler's view alone. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct pf_waker waker = { .time_ns = bpf_ktime_get_boot_ns() };
	struct pf_thread *thread;
	__u32 tid = task->pid;

	if (!process_may_be_in_scope(task->tgid) || !process_in_scope(task->tgid))
		return 0;
	if (!is_interrupt(ctx, current)) {
		waker.ids = task_ids(current);
		thread = thread_of(current);
		if (thread) /* no call of its own begins at that moment */
			waker.time_ns = thread_mark(thread, waker.time_ns);
	}
	bpf_map_update_elem(&wakers, &tid, &waker, BPF_ANY);
	return 0;
}

/* Loaded where wake-ups are looked at. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct pf_thread *thread;

	if (!process_may_be_in_scope(task->tgid))
		return 0;
	if (with_sched && process_in_scope(task->tgid))
		emit_wake(task);
	thread = thread_of(task);
	if (thread && (thread->state == PF_THREAD_BLOCKED || thread->state == PF_THREAD_IO))
		thread_change(thread, PF_THREAD_RUNNABLE, bpf_ktime_get_boot_ns());
	return 0;
}

/* A variable of ours that each CPU has: where this CPU's is tells where it has those of the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} of_each_cpu SEC(".maps");

/* By way of memory a pointer becomes a number, with which the verifier lets us reckon. */
static __always_inline __u64 address_of(struct pf_cpu *cpu, void *pointer)
{
	cpu->address = (__u64)pointer;
	return PF_READ_ONCE(cpu->address);
}

static __always_inline __u64 own_per_cpu_offset(struct pf_cpu *cpu)
{
	const struct bpf_array *array = (void *)address_of(cpu, &of_each_cpu);
	__u64 common = (__u64)BPF_CORE_READ(array, pptrs[0]);
	__u32 key = 0;
	void *here = bpf_map_lookup_elem(&of_each_cpu, &key);

	return here && common ? address_of(cpu, here) - common : 0;
}

static __always_inline __u64 own_run_queue(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct rq *queue = BPF_CORE_READ(task, se.cfs_rq, rq);

	return BPF_CORE_READ(queue, curr) == task ? (__u64)queue : 0;
}

/* Run by the daemon on each CPU when the session begins. */
SEC("raw_tp/sched_switch")
int on_cpu_present(void *ctx)
{
	struct pf_cpu *cpu = this_cpu();

	if (cpu) {
		cpu->per_cpu_offset = own_per_cpu_offset(cpu);
		if (has_places)
			cpu->run_queue = own_run_queue();
	}
	hw_switch(NULL);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
