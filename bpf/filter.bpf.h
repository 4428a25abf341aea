/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a process in scope? Is the present thread? */
#ifndef PERFFLOW_FILTER_BPF_H
#define PERFFLOW_FILTER_BPF_H

#include "identity.bpf.h"
#include "place.bpf.h"
#include "user.bpf.h"

static __always_inline bool process_may_be_in_scope(__u32 tgid)
{
	const __u32 *marks = scope_mark(tgid);

	return marks && *marks & session_bit;
}

static __always_inline struct pf_process *process_in_scope(__u32 tgid)
{
	return bpf_map_lookup_elem(&processes, &tgid);
}

/* Whether the present process runs the program that the session is about. */
static __always_inline bool exe_is_wanted(struct task_struct *task)
{
	struct inode *inode;

	if (!scope_exe_ino)
		return true;
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	return inode && BPF_CORE_READ(inode, i_ino) == scope_exe_ino &&
	       BPF_CORE_READ(inode, i_sb, s_dev) == scope_exe_dev;
}

static __always_inline struct pf_process *process_enter_scope(__u32 tgid)
{
	struct pf_process fresh = { .since_ns = bpf_ktime_get_boot_ns() };
	__u32 *marks = scope_mark(tgid);

	if (marks)
		__sync_fetch_and_or(marks, session_bit);
	if (bpf_map_update_elem(&processes, &tgid, &fresh, BPF_NOEXIST) == -7 /* E2BIG */)
		lose(PF_LOST_NO_PROCESS, 0, tgid);
	return process_in_scope(tgid);
}

/* Who has the CPU is not noted of tasks that were of no session when they came to it. */
static __always_inline void cpu_note_own(const struct task_struct *task)
{
	struct pf_cpu_clock *cpu = this_cpu_clock();

	if (cpu && cpu->tgid == PF_OTHERS) {
		cpu->tgid = task->tgid;
		cpu->pid = task->pid;
	}
}

/* The first probe that a thread meets. joinpoint: of the call that begins there, 0: none does. */
static __noinline struct pf_thread *thread_first_seen(struct task_struct *task, __u32 joinpoint)
{
	struct pf_process *process;
	struct pf_thread *thread;

	if (!scope_is_all && !process_may_be_in_scope(task->tgid))
		return NULL;
	process = process_in_scope(task->tgid);
	if (!process && scope_is_all && exe_is_wanted(task))
		process = process_enter_scope(task->tgid);
	if (!process)
		return NULL;

	thread = thread_make(task);
	if (!thread) {
		if (joinpoint)
			lose(PF_LOST_NO_THREAD_STATE, joinpoint, task->tgid);
		return NULL;
	}
	thread->since_ns = bpf_ktime_get_boot_ns(); /* all else is zero: on the CPU, no span open */
	cpu_note_own(task);
	return thread;
}

static __noinline int thread_introduce(struct task_struct *task, struct pf_thread *thread)
{
	struct pf_process *process = process_in_scope(task->tgid);

	if (process && !__sync_lock_test_and_set(&process->is_named, 1))
		process_announce(task, process, true, 0);
	thread->is_named = 1;
	emit_thread(task, task->comm);
	return 0;
}

/* Where it is not at hand. */
static __always_inline struct pf_thread *thread_find(struct task_struct *task, void *ctx, bool is_entry)
{
	struct pf_thread *thread = thread_of(task);

	if (!thread)
		thread = thread_first_seen(task, is_entry ? bpf_get_attach_cookie(ctx) : 0);
	if (only_one_user && thread && !user_admits(task, thread))
		return NULL;
	if (thread && !thread->is_named)
		thread_introduce(task, thread);
	if (has_places && thread)
		thread_keep_at_hand(task, thread);
	return thread;
}

/* The state of the present thread, or NULL where nothing is to be recorded of it. is_entry: its call may begin, and not end. */
static __always_inline struct pf_thread *thread_in_scope(void *ctx, bool is_entry, struct task_struct **ret_task)
{
	struct pf_thread *thread;

	if (!is_armed)
		return NULL;
	thread = has_places ? thread_at_hand(ret_task) : NULL;
	if (!thread) {
		*ret_task = bpf_get_current_task_btf();
		return thread_find(*ret_task, ctx, is_entry);
	}
	return only_one_user && !user_admits(*ret_task, thread) ? NULL : thread;
}

#endif
