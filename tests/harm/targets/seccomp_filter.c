// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * seccomp_filter - a filter lets a few system calls pass; all others kill the process, or fail with an error
 *
 * seccomp_filter kill|error
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harm.h"

#define PASS(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

CALLED static int sum(int n)
{
	int below = n ? sum(n - 1) : 0;

	NO_TAIL_CALL();
	return below + n;
}

CALLED static int installs(unsigned int otherwise)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		PASS(SYS_write),
		PASS(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, otherwise),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? 1 : 0;
}

CALLED static void nested(int depth, unsigned int otherwise)
{
	if (depth)
		nested(depth - 1, otherwise);
	else
		say("installed: %d", installs(otherwise));
	say("depth %d: %d", depth, sum(depth));
}

int main(int argc, char **argv)
{
	nested(5, argc > 1 && !strcmp(argv[1], "error") ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS);
	for (int i = 0; i < 10; i++)
		say("%d: %d", i, sum(i));
	_exit(11);
}
