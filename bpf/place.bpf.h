/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the state of a thread is: with its task, or for the first threads in a place of an array
 *
 * To ask for the present task and for what is kept with it are two calls, and where processors make each return dear these cost
 * more than all else that a probe does with that state. An array needs no call. So each CPU notes the place of the thread that
 * met a probe there last, which is right for all of a thread's calls but the first after another's.
 *
 * A thread that has a place still has a state with its task, which then holds the number of the place alone.
 */
#ifndef PERFFLOW_PLACE_BPF_H
#define PERFFLOW_PLACE_BPF_H

#include "maps.bpf.h"

static __always_inline struct pf_thread *place_find(const struct pf_thread *own)
{
	__u32 place = own->place - 1;

	return bpf_map_lookup_elem(&places, &place);
}

/* NULL where it has none yet: of most that the scheduler's hook asks for, and a look tells that of those with which nothing is kept. */
static __always_inline struct pf_thread *thread_of(struct task_struct *task)
{
	struct pf_thread *own;

	if (!task->bpf_storage)
		return NULL;
	own = bpf_task_storage_get(&threads, task, NULL, 0);
	return own && own->place ? place_find(own) : own;
}

static __noinline struct pf_thread *thread_make(struct task_struct *task)
{
	struct pf_thread *own = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE), *thread;
	__u32 place;

	if (!own || own->place || !has_places || bpf_map_pop_elem(&free_places, &place) < 0)
		return own;
	thread = bpf_map_lookup_elem(&places, &place);
	if (!thread)
		return own;
	__builtin_memset(thread, 0, __builtin_offsetof(struct pf_thread, frames));
	thread->task = (__u64)task;
	thread->place = own->place = place + 1;
	return thread;
}

/* What comes after finds the task's own, in which nothing is open. */
static __always_inline void thread_leave_place(struct task_struct *task)
{
	struct pf_thread *own = bpf_task_storage_get(&threads, task, NULL, 0), *thread;
	__u32 place;

	if (!own || !own->place)
		return;
	thread = place_find(own);
	if (thread)
		thread->task = 0;
	place = own->place - 1;
	own->place = 0;
	if (is_armed) /* else it may be one that on_stop() has found */
		bpf_map_push_elem(&free_places, &place, BPF_ANY);
}

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/*
 * The present thread's, where it was the last one that met a probe on this CPU, or NULL. With its task, which can be read, but
 * not be passed to the kernel.
 */
static __always_inline struct pf_thread *thread_at_hand(struct task_struct **ret_task)
{
	struct pf_cpu *cpu = this_cpu();
	const struct rq *queue;
	struct task_struct *task;
	struct pf_thread *thread;
	__u32 place;

	if (!cpu || !cpu->run_queue)
		return NULL;
	place = cpu->place;
	thread = bpf_map_lookup_elem(&places, &place);
	if (!thread)
		return NULL;
	queue = bpf_rdonly_cast((void *)cpu->run_queue, bpf_core_type_id_kernel(struct rq));
	task = queue->curr;
	if (thread->task != (__u64)task || thread->task_start_ns != task->start_boottime)
		return NULL;
	*ret_task = task;
	return thread;
}

static __always_inline void thread_keep_at_hand(const struct task_struct *task, struct pf_thread *thread)
{
	struct pf_cpu *cpu = this_cpu();

	if (!cpu || !thread->place)
		return;
	thread->task_start_ns = task->start_boottime;
	cpu->place = thread->place - 1;
}

#endif
