// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * inherits - what a process has from the one that started it: descriptors, signals, limits, environment, rights
 *
 * The tracer starts the command; it must not leave a trace of itself there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harm.h"

extern char **environ;

CALLED static void descriptors(void)
{
	for (int fd = 0; fd < 256; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0)
			say("descriptor %d type %o flags %d %d", fd, st.st_mode & S_IFMT, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	}
}

CALLED static void signals(void)
{
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int number = 1; number < 65; number++) {
		struct sigaction action;

		if (sigismember(&blocked, number) == 1)
			say("signal %d blocked", number);
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			say("signal %d %s", number, action.sa_handler == SIG_IGN ? "ignored" : "handled");
	}
}

CALLED static void limits(void)
{
	for (int resource = 0; resource < RLIMIT_NLIMITS; resource++) {
		struct rlimit limit;

		getrlimit((enum __rlimit_resource)resource, &limit);
		say("limit %d: %lu %lu", resource, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	}
}

CALLED static void status_lines(void)
{
	static const char *const wanted[] = { "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp:", "TracerPid",
					      "Cpus_allowed:", "Shd", "SigPnd", "SigBlk", "SigIgn", "SigCgt", "Umask", "Threads", NULL };
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		for (int i = 0; wanted[i]; i++) {
			if (!strncmp(line, wanted[i], strlen(wanted[i])))
				say("%.*s", (int)strcspn(line, "\n"), line);
		}
	}
	if (file)
		fclose(file);
}

CALLED static void whole(const char *path)
{
	char text[200] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0)
		say("%s %.*s", path, (int)strcspn(text, "\n"), text);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	char folder[200];
	int death_signal = -1;

	for (int i = 0; i < argc; i++)
		say("argument %s", argv[i]);
	for (char **variable = environ; *variable; variable++)
		say("environment %.200s", *variable);
	descriptors();
	signals();
	limits();
	status_lines();
	whole("/proc/self/oom_score_adj");
	whole("/proc/self/coredump_filter");
	whole("/proc/self/timerslack_ns");
	whole("/proc/self/comm");
	whole("/proc/self/cgroup");
	prctl(PR_GET_PDEATHSIG, &death_signal);
	say("folder %s", getcwd(folder, sizeof(folder)) ? folder : "?");
	say("priority %d policy %d dumpable %d death signal %d subreaper %d", getpriority(PRIO_PROCESS, 0),
	    sched_getscheduler(0), prctl(PR_GET_DUMPABLE), death_signal, getpid() == 1);
	return 0;
}
