// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who a file is to the kernel. On overlayfs (containers) and btrfs, stat() tells of another device than the kernel has inside,
 * and many overlays may lie over one file, which is what uprobes go to.
 */
#include "maps.bpf.h"

/* As it was opened (what the kernel says of programs and, from Linux 6.8, of mappings), and what is mapped of it. */
__u64 identified_opened_ino, identified_mapped_ino;
__u32 identified_opened_dev, identified_mapped_dev;

static long on_vma(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	struct inode *inode = BPF_CORE_READ(vma, vm_file, f_inode);

	identified_mapped_ino = BPF_CORE_READ(inode, i_ino);
	identified_mapped_dev = BPF_CORE_READ(inode, i_sb, s_dev);
	return 0;
}

/* Run by the daemon in its own process: args[0] is a descriptor of the file, args[1] where a page of it is mapped. */
SEC("raw_tp")
int on_identify(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file **files = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;
	struct inode *inode;

	bpf_probe_read_kernel(&file, sizeof(file), files + ctx->args[0]);
	inode = BPF_CORE_READ(file, f_inode);
	identified_opened_ino = identified_mapped_ino = BPF_CORE_READ(inode, i_ino);
	identified_opened_dev = identified_mapped_dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_find_vma)) /* Linux 5.17 */
		bpf_find_vma(task, ctx->args[1], on_vma, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
