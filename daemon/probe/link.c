/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Asks the kernel directly: libbpf 1.4 makes plain links only, not session links. */
#include "probe/link.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* union bpf_attr of link_create.uprobe_multi, as Linux 6.6 has it */
struct uprobe_link_attr {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t n_offsets, multi_flags, pid, reserved;
};

int link_open(int program_fd, enum bpf_attach_type type, const struct link_sites *sites)
{
	struct uprobe_link_attr attr = {
		.program_fd = program_fd,
		.attach_type = type,
		.path = (uintptr_t)sites->path,
		.offsets = (uintptr_t)sites->offsets,
		.cookies = (uintptr_t)sites->cookies,
		.n_offsets = sites->n,
		.multi_flags = sites->are_returns, /* BPF_F_UPROBE_MULTI_RETURN */
		.pid = sites->pid,
	};
	int fd = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}
