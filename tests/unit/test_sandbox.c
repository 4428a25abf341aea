/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Each attempt is made by a child of its own that is in the sandbox, as root where the test is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "inspect/sandbox.h"

#define KEPT 3 /* the descriptor that is kept */

/* Returns what the attempt returns in the sandbox: 0, or a positive errno; 255: there was no sandbox; 254: it was killed. */
static int in_sandbox(int (*attempt)(void))
{
	int status, kept = open("/proc/self/exe", O_RDONLY);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(kept, KEPT);
		if (sandbox_drop_rights(KEPT) < 0 || sandbox_close() < 0)
			_exit(255);
		_exit(attempt());
	}
	close(kept);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int do_open(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int do_openat2(void)
{
	return result(syscall(__NR_openat2, AT_FDCWD, "/etc/passwd", NULL, 0));
}

static int do_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int do_exec(void)
{
	return result(execl("/bin/true", "true", NULL));
}

static int do_fork(void)
{
	return result(fork());
}

static int do_kill(void)
{
	return result(kill(getppid(), 0));
}

static int do_signal_by_file(void)
{
	return result(fcntl(KEPT, F_SETOWN, 1));
}

static int do_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int do_bpf(void)
{
	return result(syscall(__NR_bpf, 0, NULL, 0));
}

static int do_write(void)
{
	return result(write(KEPT, "x", 1));
}

static int do_ioctl(void)
{
	int n;

	return result(syscall(__NR_ioctl, KEPT, 0x541b /* FIONREAD */, &n));
}

static int do_prctl(void)
{
	return result(prctl(PR_SET_DUMPABLE, 1));
}

static int do_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int do_code_later(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? 253 : result(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static void nothing_can_be_opened_executed_or_signalled(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(do_open), EPERM);
	assert_int_equal(in_sandbox(do_openat2), EPERM);
	assert_int_equal(in_sandbox(do_socket), EPERM);
	assert_int_equal(in_sandbox(do_exec), EPERM);
	assert_int_equal(in_sandbox(do_fork), EPERM);
	assert_int_equal(in_sandbox(do_kill), EPERM);
	assert_int_equal(in_sandbox(do_signal_by_file), EPERM);
	assert_int_equal(in_sandbox(do_ptrace), EPERM);
	assert_int_equal(in_sandbox(do_bpf), EPERM);
	assert_int_equal(in_sandbox(do_write), EPERM);
	assert_int_equal(in_sandbox(do_ioctl), EPERM);
	assert_int_equal(in_sandbox(do_prctl), EPERM);
	assert_int_equal(in_sandbox(do_code), EPERM);
	assert_int_equal(in_sandbox(do_code_later), EPERM);
}

static int ask_for_size(void)
{
	struct stat status;

	return fstat(KEPT, &status) == 0 ? 0 : errno;
}

static int read_what_is_kept(void)
{
	char bytes[4];

	return pread(KEPT, bytes, 4, 0) == 4 && memcmp(bytes, "\177ELF", 4) == 0 ? 0 : 1;
}

static int allocate(void)
{
	char *memory = malloc(64 << 20);

	if (!memory)
		return 1;
	memset(memory, 1, 64 << 20);
	memory = realloc(memory, 128 << 20);
	free(memory);
	return memory ? 0 : 1;
}

static int descriptor_behind(void)
{
	return fcntl(KEPT + 1, F_DUPFD_CLOEXEC, 0) < 0 ? errno : 0;
}

static void what_it_was_given_can_be_read(void **state)
{
	int behind = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(in_sandbox(ask_for_size), 0);
	assert_int_equal(in_sandbox(read_what_is_kept), 0);
	assert_int_equal(in_sandbox(allocate), 0);
	assert_int_equal(in_sandbox(descriptor_behind), EBADF);
	close(behind);
}

/* "CapEff:\t0000000000000000" of a process, as a number; UINT64_MAX if there is none. */
static uint64_t field(pid_t pid, const char *name, int base)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, base);
	fclose(file);
	return value;
}

static void it_has_no_capabilities_and_is_not_root(void **state)
{
	int sockets[2], kept;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	kept = sockets[1];
	pid = fork();
	if (pid == 0) {
		struct msghdr message = { .msg_iov = &(struct iovec){ &byte, 1 }, .msg_iovlen = 1 };

		if (sandbox_drop_rights(kept) < 0 || sandbox_close() < 0)
			_exit(255);
		sendmsg(kept, &message, 0);
		recvmsg(kept, &message, 0);
		_exit(0);
	}
	close(kept);
	assert_int_equal(read(sockets[0], &byte, 1), 1);
	assert_int_equal(field(pid, "CapEff:", 16), 0);
	assert_int_equal(field(pid, "CapPrm:", 16), 0);
	assert_int_equal(field(pid, "CapAmb:", 16), 0);
	assert_int_equal(field(pid, "NoNewPrivs:", 10), 1);
	assert_int_equal(field(pid, "Seccomp:", 10), 2);
	assert_int_not_equal(field(pid, "Uid:", 10), 0);
	close(sockets[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_can_be_opened_executed_or_signalled),
		cmocka_unit_test(what_it_was_given_can_be_read),
		cmocka_unit_test(it_has_no_capabilities_and_is_not_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
