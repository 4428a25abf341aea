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
#define SIGNAL_GROUP_EXIT 0x00000004

struct super_block {
	__u32 s_dev;
} __kernel_type;

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} __kernel_type;

struct file {
	struct inode *f_inode;
} __kernel_type;

struct xol_area {
	unsigned long vaddr; /* where return probes send a function that returns */
} __kernel_type;

struct uprobes_state {
	struct xol_area *xol_area;
} __kernel_type;

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
	struct uprobes_state uprobes_state;
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
	__u64 exec_start;	/* on the scheduler's clock, when that was last brought up to date */
	__u64 sum_exec_runtime; /* the kernel's own count of CPU time, up to date when the task leaves the CPU */
} __kernel_type;

struct task_struct {
	unsigned int __state;
	int pid, tgid;
	__u64 start_boottime;
	char comm[16];
	int exit_code;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct signal_struct *signal;
	struct uprobe_task *utask;
	struct sched_entity se;
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
