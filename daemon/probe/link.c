/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Asks the kernel directly: libbpf 1.4 makes plain links only, not session links.
 *
 * The kernel writes breakpoints into programs and takes them out again on behalf of who asks, and stops half way when that one is
 * killed: what is left is a breakpoint that nobody takes out any more. So a process of its own asks, one that has our memory and our
 * descriptors, while the thread waits for it as for a vfork(). Whoever kills the daemon does not reach it; it ends what it has begun,
 * and with it the last descriptor is closed.
 */
#include "probe/link.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/cleanup.h"

#define SYSFS_UPROBE "/sys/bus/event_source/devices/uprobe/"

/* union bpf_attr of link_create.uprobe_multi, as Linux 6.6 has it */
struct uprobe_link_attr {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t n_offsets, multi_flags, pid, reserved;
};

#define STACK_BYTES 16384

struct order { /* to make a link, or to close descriptors */
	struct uprobe_link_attr *attr;
	const int *fds;
	size_t n_fds;
	int result;
};

/* After a vfork(): system calls alone. */
static int carry_out(void *userdata)
{
	struct order *order = userdata;

	for (size_t i = 0; i < order->n_fds; i++)
		if (order->fds[i] >= 0)
			close(order->fds[i]);
	if (order->attr) {
		order->result = syscall(__NR_bpf, BPF_LINK_CREATE, order->attr, sizeof(*order->attr));
		if (order->result < 0)
			order->result = -errno;
	}
	return 0;
}

/* The thread sanitizer takes the other process for a thread of ours. */
#ifdef __SANITIZE_THREAD__
static void have_carried_out(struct order *order)
{
	carry_out(order);
}
#else
/* No handler of ours may run there, and nobody hears of its end who waits for other children. */
static void have_carried_out(struct order *order)
{
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	sigset_t all, before;
	pid_t child;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = clone(carry_out, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FILES, order);
	if (child < 0)
		carry_out(order);
	else
		while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
#endif

int link_open(int program_fd, enum bpf_attach_type type, const struct link_sites *sites)
{
	struct uprobe_link_attr attr = {
		.program_fd = program_fd,
		.attach_type = type,
		.path = (uintptr_t)sites->path,
		.offsets = (uintptr_t)sites->offsets,
		.cookies = (uintptr_t)sites->cookies,
		.ref_ctr_offsets = (uintptr_t)sites->semaphores,
		.n_offsets = sites->n,
		.multi_flags = sites->are_returns, /* BPF_F_UPROBE_MULTI_RETURN */
		.pid = sites->pid,
	};
	struct order order = { .attr = &attr };

	have_carried_out(&order);
	return order.result;
}

void link_close(const int *fds, size_t n_fds)
{
	struct order order = { .fds = fds, .n_fds = n_fds };

	if (n_fds)
		have_carried_out(&order);
}

/* A number at the end of a line of /sys, or -ENOENT. */
static int read_number(const char *path, const char *format)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	int number;

	return file && fscanf(file, format, &number) == 1 ? number : -ENOENT;
}

int link_make_event(const char *path, unsigned long offset, bool is_return)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .config1 = (uintptr_t)path, .config2 = offset};
	int type = read_number(SYSFS_UPROBE "type", "%d"),
	    bit = read_number(SYSFS_UPROBE "format/retprobe", "config:%d");
	int fd;

	if (type < 0 || bit < 0)
		return -ENOENT;
	attr.type = type;
	if (is_return)
		attr.config = 1ULL << bit;
	fd = syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int link_open_event(int program_fd, const char *path, unsigned long offset, bool is_return)
{
	_cleanup_close_ int fd = link_make_event(path, offset, is_return);

	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return take_fd(fd);
}
