/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions of plain users: whose a process is, and what the daemon has to hear of at once. All of it is behind `only_one_user`,
 * so that it costs others nothing.
 */
#ifndef PERFFLOW_USER_BPF_H
#define PERFFLOW_USER_BPF_H

#include "emit.bpf.h"

#define MMF_DUMPABLE 3	/* the bits of it */
#define SUID_DUMP_USER 1

static __noinline int change_send(enum pf_change_kind kind, __u32 pid)
{
	struct pf_change *change = bpf_ringbuf_reserve(&changes, sizeof(*change), 0);

	if (!change) {
		__sync_fetch_and_add(&n_changes_lost, 1);
		return 0;
	}
	change->kind = kind;
	change->pid = pid;
	change->time_ns = bpf_ktime_get_boot_ns();
	bpf_ringbuf_submit(change, 0);
	return 0;
}

static __always_inline bool has_own_ids(const struct cred *cred)
{
	return cred->uid.val == only_uid && cred->euid.val == only_uid && cred->suid.val == only_uid &&
	       cred->fsuid.val == only_uid && cred->gid.val == only_gid && cred->egid.val == only_gid &&
	       cred->sgid.val == only_gid;
}

/* In a user namespace of its own a process may have all that there are, over what is its user's anyway. */
static __always_inline bool has_capabilities(const struct cred *cred)
{
	kernel_cap_t permitted;

	if (cred->user_ns->level)
		return false;
	BPF_CORE_READ_INTO(&permitted, cred, cap_permitted);
	return permitted.val;
}

/* Without memory it is about to end. */
static __always_inline bool is_dumpable(struct mm_struct *mm)
{
	struct mm_struct___since_6_18 *renamed = (void *)mm;
	unsigned long flags;

	if (!mm)
		return true;
	if (bpf_core_field_exists(renamed->flags.__mm_flags))
		flags = BPF_CORE_READ(renamed, flags.__mm_flags[0]);
	else
		flags = BPF_CORE_READ(mm, flags);
	return (flags & MMF_DUMPABLE) == SUID_DUMP_USER;
}

/*
 * What the kernel asks before one process may look into another with ptrace: all ids are the user's, it has no rights beyond,
 * and it has not lost what makes it open to its user by executing a program that has, or that may not be read.
 */
static __noinline bool task_is_own(struct task_struct *task)
{
	const struct cred *cred = task->real_cred;

	return has_own_ids(cred) && !has_capabilities(cred) && is_dumpable(task->mm);
}

/* span.bpf.h */
int spans_end(struct pf_thread *thread, __u64 ids, __u32 how);

/*
 * Nothing of the present process is recorded any more. It changed its user in a namespace of its own, or its memory became
 * its own affair, without executing a program: what is open ends with what was known.
 */
static __noinline int user_leave(struct task_struct *task, struct pf_thread *thread)
{
	__u32 tgid = task->tgid;

	if (thread && thread->depth)
		spans_end(thread, task_ids(task), (__u32)PF_END_SESSION_STOP << 16);
	if (bpf_map_delete_elem(&processes, &tgid) == 0)
		change_send(PF_CHANGE_LEFT, tgid);
	bpf_map_delete_elem(&verdicts, &tgid);
	return 0;
}

/* Whether the session may see the present thread: what has left does not come back. */
static __noinline bool user_admits(struct task_struct *task, struct pf_thread *thread)
{
	__u32 tgid = task->tgid;

	if (!bpf_map_lookup_elem(&processes, &tgid))
		return false;
	if (task_is_own(task))
		return true;
	user_leave(task, thread);
	return false;
}

#endif
