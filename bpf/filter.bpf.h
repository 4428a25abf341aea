/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a process in scope? Is the present thread? */
#ifndef PERFFLOW_FILTER_BPF_H
#define PERFFLOW_FILTER_BPF_H

#include "emit.bpf.h"

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
	struct pf_process fresh = {};

	if (bpf_map_update_elem(&processes, &tgid, &fresh, BPF_NOEXIST) == -7 /* E2BIG */)
		count(PF_LOST_NO_PROCESS);
	return process_in_scope(tgid);
}

/* The first probe that a thread meets. */
static __noinline struct pf_thread *thread_first_seen(struct task_struct *task)
{
	struct pf_process *process = process_in_scope(task->tgid);
	struct pf_thread *thread;

	if (!process && scope_is_all && exe_is_wanted(task))
		process = process_enter_scope(task->tgid);
	if (!process)
		return NULL;

	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread) {
		count(PF_LOST_NO_THREAD_STATE);
		return NULL;
	}
	thread->since_ns = bpf_ktime_get_boot_ns(); /* all else is zero: on the CPU, no span open */
	return thread;
}

static __noinline int thread_introduce(struct task_struct *task, struct pf_thread *thread)
{
	struct pf_process *process = process_in_scope(task->tgid);

	if (process && !__sync_lock_test_and_set(&process->is_named, 1))
		emit_process(task);
	thread->is_named = 1;
	emit_thread(task, task->comm);
	return 0;
}

/* The state of the present thread, or NULL where nothing is to be recorded of it. */
static __always_inline struct pf_thread *thread_in_scope(struct task_struct *task)
{
	struct pf_thread *thread;

	if (!is_armed)
		return NULL;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!thread)
		thread = thread_first_seen(task);
	if (thread && !thread->is_named)
		thread_introduce(task, thread);
	return thread;
}

#endif
