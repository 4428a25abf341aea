/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who a process is: what a session tells processes apart by, taken when it is announced, since a moment later it may be gone
 *
 * Paths are sent part by part from their end, as the kernel's own structures lead upwards.
 */
#ifndef PERFFLOW_IDENTITY_BPF_H
#define PERFFLOW_IDENTITY_BPF_H

#include "emit.bpf.h"

#define MAX_PATH_PARTS 32
#define MAX_PART_BYTES 256
#define N_HIERARCHIES 8

static __always_inline struct pf_process_text *text_reserve(enum pf_text what, __u64 generation, __u64 ids)
{
	struct pf_process_text *text = emit_reserve(this_ring(), struct pf_process_text, ids >> 32);

	if (!text)
		return NULL;
	emit_header(&text->event, PF_EVENT_PROCESS_TEXT, sizeof(*text), generation, ids);
	text->what = what;
	text->bytes = 0;
	text->offset = 0;
	text->is_last = 1;
	text->is_cut = 0;
	__builtin_memset(text->reserved, 0, sizeof(text->reserved));
	return text;
}

/* Appends a part of a path; false if there is no room. */
static __always_inline bool text_append_part(struct pf_process_text *text, const void *name)
{
	__u32 at = text->bytes;
	long n;

	pf_opaque(at);
	if (at > PF_TEXT_BYTES - MAX_PART_BYTES)
		return false;
	n = bpf_probe_read_kernel_str(&text->text[at], MAX_PART_BYTES, name);
	if (n > 0)
		text->bytes = at + n;
	return true;
}

/* One piece of the environment of the present process; returns whether there are more. Global: it is verified once, not in each round. */
__weak __noinline int emit_environment_piece(__u64 generation, __u64 ids, __u32 offset)
{
	struct task_struct *task = bpf_get_current_task_btf();
	unsigned long start = BPF_CORE_READ(task, mm, env_start);
	unsigned long left = BPF_CORE_READ(task, mm, env_end) - start - offset, size;
	struct pf_process_text *text = text_reserve(PF_TEXT_ENVIRONMENT, generation, ids);

	if (!text)
		return false;
	size = left < PF_TEXT_BYTES ? left : PF_TEXT_BYTES;
	pf_opaque(size);
	text->is_cut = size > PF_TEXT_BYTES || bpf_probe_read_user(text->text, size, (void *)(start + offset)) < 0;
	if (text->is_cut)
		left = size = 0;
	text->offset = offset;
	text->bytes = size;
	text->is_last = left == size || offset + PF_TEXT_BYTES >= PF_MAX_ENVIRONMENT_BYTES;
	if (text->is_last && left != size)
		text->is_cut = 1;
	left = text->is_last;
	bpf_ringbuf_submit(text, BPF_RB_NO_WAKEUP);
	return !left;
}

__weak __noinline int emit_environment(__u64 generation, __u64 ids)
{
	for (__u32 offset = 0; offset < PF_MAX_ENVIRONMENT_BYTES; offset += PF_TEXT_BYTES)
		if (!emit_environment_piece(generation, ids, offset))
			break;
	return 0;
}

static __always_inline void read_path(struct task_struct *task, enum pf_text what, struct dentry **dentry,
				      struct vfsmount **mnt)
{
	if (what == PF_TEXT_EXE) {
		*dentry = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
		*mnt = BPF_CORE_READ(task, mm, exe_file, f_path.mnt);
	} else {
		*dentry = BPF_CORE_READ(task, fs, pwd.dentry);
		*mnt = BPF_CORE_READ(task, fs, pwd.mnt);
	}
}

/*
 * The path of its program or of its directory, as the mount namespace of the process has it: up to the root of each file
 * system, then where that is mounted.
 */
__weak __noinline int emit_path(__u64 generation, __u64 ids, enum pf_text what)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pf_process_text *text = text_reserve(what, generation, ids);
	struct dentry *dentry, *parent;
	struct mount *mount, *above;
	struct vfsmount *mnt;

	if (!text)
		return 0;
	text->is_cut = 1; /* unless its beginning is reached */
	read_path(task, what, &dentry, &mnt);
	mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	for (int i = 0; i < MAX_PATH_PARTS; i++) {
		parent = BPF_CORE_READ(dentry, d_parent);
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
			above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount || !above) {
				text->is_cut = 0;
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (!text_append_part(text, BPF_CORE_READ(dentry, d_name.name)))
			break;
		dentry = parent;
	}
	bpf_ringbuf_submit(text, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___since_6_15 *renamed = (void *)node;

	if (bpf_core_field_exists(node->parent))
		return BPF_CORE_READ(node, parent);
	return BPF_CORE_READ(renamed, __parent);
}

/* Of the unified hierarchy, or where the process is at its root the first other that puts it elsewhere. */
static __always_inline struct kernfs_node *cgroup_node(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct kernfs_node *unified = BPF_CORE_READ(set, dfl_cgrp, kn), *node;

	if (kernfs_parent(unified))
		return unified;
	for (int i = 0; i < N_HIERARCHIES; i++) {
		node = BPF_CORE_READ(set, subsys[i], cgroup, kn);
		if (node && kernfs_parent(node))
			return node;
	}
	return unified;
}

__weak __noinline int emit_cgroup(__u64 generation, __u64 ids)
{
	struct kernfs_node *node = cgroup_node(bpf_get_current_task_btf()), *parent;
	struct pf_process_text *text = text_reserve(PF_TEXT_CGROUP, generation, ids);

	if (!text)
		return 0;
	text->is_cut = 1; /* unless its beginning is reached */
	for (int i = 0; i < MAX_PATH_PARTS; i++) {
		parent = kernfs_parent(node);
		if (!parent) {
			text->is_cut = 0;
			break;
		}
		if (!text_append_part(text, BPF_CORE_READ(node, name)))
			break;
		node = parent;
	}
	bpf_ringbuf_submit(text, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * The record of a process whose command line is that of the present one (it is the present one, or was just forked from it).
 * executed_by: the thread that has executed its program just now, or 0.
 */
static __noinline int emit_process(struct task_struct *task, __u64 generation, __u32 executed_by)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct pf_process_seen *seen = emit_reserve(this_ring(), struct pf_process_seen, task->tgid);
	unsigned long start, size;

	if (!seen)
		return 0;
	emit_header(&seen->event, PF_EVENT_PROCESS, sizeof(*seen), generation, task_ids(task));
	if (executed_by)
		seen->event.tid = executed_by;
	seen->has_executed = executed_by != 0;
	seen->reserved = 0;
	/* in whole clock ticks of 10 ms, as /proc shows it */
	seen->start_ns = BPF_CORE_READ(task, group_leader, start_boottime) / 10000000 * 10000000;
	seen->ppid = BPF_CORE_READ(task, group_leader, real_parent, tgid);
	seen->uid = BPF_CORE_READ(task, cred, uid.val);
	seen->gid = BPF_CORE_READ(task, cred, gid.val);
	bpf_probe_read_kernel_str(seen->comm, sizeof(seen->comm), task->comm);

	start = BPF_CORE_READ(current, mm, arg_start);
	size = BPF_CORE_READ(current, mm, arg_end) - start;
	if (size > PF_COMMAND_LINE_BYTES)
		size = PF_COMMAND_LINE_BYTES;
	__builtin_memset(seen->command_line, 0, sizeof(seen->command_line));
	if (bpf_probe_read_user(seen->command_line, size, (void *)start) < 0)
		size = 0;
	seen->command_line_bytes = size;
	bpf_ringbuf_submit(seen, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Tells of a process, and with its texts of all that is to be known of it: then it is the present one. */
static __always_inline void process_announce(struct task_struct *task, struct pf_process *process, bool with_texts,
					     __u32 executed_by)
{
	__u64 generation = bpf_ktime_get_boot_ns();

	process->generation = generation;
	emit_process(task, generation, executed_by);
	if (!with_texts)
		return;
	emit_path(generation, task_ids(task), PF_TEXT_EXE);
	emit_path(generation, task_ids(task), PF_TEXT_DIRECTORY);
	emit_cgroup(generation, task_ids(task));
	emit_environment(generation, task_ids(task));
}

#endif
