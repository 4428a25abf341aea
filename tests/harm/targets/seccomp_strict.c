// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * seccomp_strict - functions entered before and after the process gave up all system calls but read, write and _exit
 *
 * Whatever the tracer lets the kernel do at a probe, it must not count as a system call of the process. One child is
 * left alone with its calls, another calls write in them.
 */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harm.h"

CALLED static int sum(int n)
{
	int below = n ? sum(n - 1) : 0;

	NO_TAIL_CALL();
	return below + n;
}

CALLED static void says(int n)
{
	int result = sum(n);

	say("sum %d", result);
}

CALLED static int gives_up_calls(void)
{
	int r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);

	NO_TAIL_CALL();
	return r;
}

CALLED static void child(int quiet)
{
	int r = gives_up_calls();

	for (int i = 0; i < 5; i++) {
		if (quiet)
			r += sum(i);
		else
			says(i);
	}
	syscall(SYS_exit, r);
}

int main(void)
{
	for (int quiet = 0; quiet < 2; quiet++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			child(quiet);
		waitpid(pid, &status, 0);
		say("child ended with %d", status);
	}
	return 0;
}
