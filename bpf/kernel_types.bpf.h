/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel structs that we read. Fields are found by name in the running kernel's BTF when the programs are
 * loaded (CO-RE), so only the fields that are used stand here and their order means nothing.
 */
#ifndef PERFFLOW_KERNEL_TYPES_BPF_H
#define PERFFLOW_KERNEL_TYPES_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define __kernel_type __attribute__((preserve_access_index))

#define TASK_RUNNING 0x0000
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_DEAD 0x0080
#define EXIT_ZOMBIE 0x0020
#define EXIT_DEAD 0x0010
#define SIGNAL_GROUP_EXIT 0x00000004

struct super_block {
	__u32 s_dev;
} __kernel_type;

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} __kernel_type;

struct qstr {
	const unsigned char *name;
} __kernel_type;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} __kernel_type;

struct vfsmount {
	struct dentry *mnt_root;
} __kernel_type;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} __kernel_type;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} __kernel_type;

struct fs_struct {
	struct path pwd;
} __kernel_type;

struct fdtable {
	struct file **fd;
} __kernel_type;

struct files_struct {
	struct fdtable *fdt;
} __kernel_type;

struct vm_area_struct {
	struct file *vm_file;
} __kernel_type;

struct file {
	struct path f_path;
	struct inode *f_inode;
} __kernel_type;

struct kernfs_node {
	const char *name;
	struct kernfs_node *parent;
} __kernel_type;

struct kernfs_node___since_6_15 {
	struct kernfs_node *__parent;
} __kernel_type;

struct cgroup {
	struct kernfs_node *kn;
} __kernel_type;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} __kernel_type;

struct css_set {
	struct cgroup_subsys_state *subsys[8]; /* as many as are looked at; which is which, the configuration decides */
	struct cgroup *dfl_cgrp;
} __kernel_type;

struct percpu_counter {
	__s64 count;
	__s32 *counters;
} __kernel_type;

typedef struct {
	long counter;
} atomic_long_t;

struct mm_rss_stat { /* before 6.2 */
	atomic_long_t count[4];
} __kernel_type;

struct task_io_accounting {
	__u64 rchar, wchar;
} __kernel_type;

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

typedef struct {
	__u64 val; /* before 6.3 an array of two halves, in the same bytes */
} kernel_cap_t;

struct user_namespace {
	int level; /* 0 is the machine's own */
} __kernel_type;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kernel_cap_t cap_permitted;
	struct user_namespace *user_ns;
} __kernel_type;

struct xol_area {
	unsigned long vaddr; /* where return probes send a function that returns */
} __kernel_type;

struct uprobes_state {
	struct xol_area *xol_area;
} __kernel_type;

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
	struct uprobes_state uprobes_state;
	struct percpu_counter rss_stat[4]; /* file, anonymous, swap entries, shared */
	unsigned long flags;
} __kernel_type;

typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___since_6_18 {
	mm_flags_t flags;
} __kernel_type;

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
} __kernel_type;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not exited */
	unsigned int flags;
	int group_exit_code;
} __kernel_type;

struct uprobe_task {
	unsigned int depth; /* return probes that are pending */
} __kernel_type;

struct sched_entity {
	struct cfs_rq *cfs_rq;
	__u64 exec_start;	/* on the scheduler's clock, when that was last brought up to date */
	__u64 sum_exec_runtime; /* the kernel's own count of CPU time, up to date when the task leaves the CPU */
	__u64 prev_sum_exec_runtime; /* what it was when the task came to the CPU; not kept for real-time tasks */
} __kernel_type;

struct sched_info {
	unsigned long long run_delay;	/* how long it waited in run queues so far */
	unsigned long long last_queued; /* on the scheduler's clock, when it began to wait for a CPU; 0: it does not */
} __kernel_type;

struct bpf_run_ctx;

struct bpf_session_run_ctx {
	bool is_return;
} __kernel_type;

struct bpf_uprobe {
	__u64 cookie;
} __kernel_type;

struct bpf_uprobe_multi_run_ctx {
	struct bpf_session_run_ctx session_ctx;
	struct bpf_uprobe *uprobe;
} __kernel_type;

struct task_struct {
	void *stack;
	struct bpf_run_ctx *bpf_ctx;
	struct files_struct *files;
	struct fs_struct *fs;
	unsigned int __state;
	int pid, tgid;
	int prio;
	int wake_cpu;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt;
	__u64 start_boottime;
	char comm[16];
	int exit_code;
	unsigned int in_execve : 1;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct signal_struct *signal;
	struct uprobe_task *utask;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
	struct css_set *cgroups;
	const struct cred *cred, *real_cred;
	struct bpf_local_storage *bpf_storage;
} __kernel_type;

struct rq {
	struct task_struct *curr; /* that has the CPU */
} __kernel_type;

struct cfs_rq {
	struct rq *rq; /* of the CPU */
} __kernel_type;

struct bpf_array {
	void *pptrs[1]; /* of one whose values each CPU has */
} __kernel_type;

struct linux_binprm;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __kernel_type;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __kernel_type;

#endif
