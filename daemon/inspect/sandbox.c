/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Three walls, one behind the other: another user where there is the right to become it, no capabilities, and a filter of system
 * calls. What the filter does not know fails with EPERM and does not kill: a C library that tries something new goes on
 * without it.
 *
 * fstat() of some C libraries is newfstatat() with an empty path, and a filter cannot look at paths: so what a file is called and
 * how long it is can be asked for, by its path, and nothing of what is in it.
 *
 * CPU time has no limit of its own: whoever waits for an answer has one, and ends the process.
 */
#include "inspect/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

#define NOBODY 65534
#define MAX_DESCRIPTORS 64

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define OTHER_ABI    0x40000000U /* x32: the same calls by other numbers */
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define OTHER_ABI    UINT32_MAX
#endif

#define LOAD(field)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(answer)	BPF_STMT(BPF_RET | BPF_K, answer)
#define REFUSE		(SECCOMP_RET_ERRNO | EPERM)
/* An argument's lower half: that is where flags are. */
#define ARGUMENT(i)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[i]))
#define ALLOW(call)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), ANSWER(SECCOMP_RET_ALLOW)
/* The call, if an argument has none of these bits; if it has them all; if it is that value. */
#define ALLOW_WITHOUT(call, i, bits)                                                                   \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4), ARGUMENT(i),                            \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0), ANSWER(SECCOMP_RET_ALLOW), ANSWER(REFUSE)
#define ALLOW_WITH(call, i, bits)                                                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4), ARGUMENT(i),                            \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), ANSWER(SECCOMP_RET_ALLOW), ANSWER(REFUSE)
#define ALLOW_IF(call, i, value)                                                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4), ARGUMENT(i),                            \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1), ANSWER(SECCOMP_RET_ALLOW), ANSWER(REFUSE)

static struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
	ANSWER(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1),
	ANSWER(SECCOMP_RET_KILL_PROCESS),
	ALLOW(pread64),
	ALLOW(read),
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(fstat),
	ALLOW_WITH(newfstatat, 3, AT_EMPTY_PATH),
	ALLOW(lseek),
	ALLOW(close),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC),
	ALLOW(brk),
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
	ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(futex),
	ALLOW(sched_yield),
	ALLOW(clock_gettime),
	ALLOW(getrandom),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
#if IS_SANITIZED /* asks for these at its end */
	ALLOW(sigaltstack),
	ALLOW(gettid),
#endif
	ALLOW(exit),
	ALLOW(exit_group),
	ANSWER(REFUSE),
};

static int close_others(int keep_fd)
{
	if (keep_fd > 3 && syscall(__NR_close_range, 3, keep_fd - 1, 0) < 0)
		return -errno;
	return syscall(__NR_close_range, keep_fd + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int limit(void)
{
	static const struct {
		int resource;
		rlim_t most;
	} limits[] = {
#if !IS_SANITIZED /* whose shadow takes more */
		{ RLIMIT_AS, SANDBOX_MEMORY_BYTES },
#endif
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_NPROC, 0 },
		{ RLIMIT_NOFILE, MAX_DESCRIPTORS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit now;

		if (getrlimit(limits[i].resource, &now) < 0)
			return -errno;
		if (now.rlim_max > limits[i].most)
			now.rlim_max = limits[i].most;
		now.rlim_cur = now.rlim_max;
		if (setrlimit(limits[i].resource, &now) < 0)
			return -errno;
	}
	return 0;
}

/* Where memory runs out, it is this process that has to go. */
static void volunteer(void)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/self/oom_score_adj", "we");

	if (file)
		fputs("1000", file);
}

/* Who is root becomes nobody, unless a user namespace has no nobody; what counts are the capabilities, and they go in any case. */
static int become_nobody(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
		return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(__NR_capset, &header, none) < 0 ? -errno : 0;
}

int sandbox_drop_rights(int keep_fd)
{
	int r;

	volunteer();
	r = close_others(keep_fd);
	if (r >= 0)
		r = limit();
	if (r >= 0)
		r = become_nobody();
	if (r < 0)
		return r;
	/* a change of user would undo these */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

int sandbox_close(void)
{
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}
