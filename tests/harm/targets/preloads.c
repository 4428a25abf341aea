// SPDX-License-Identifier: LGPL-3.0-or-later
/* preloads [first] - executes the program `preloaded` beside it with libtosses.so in LD_PRELOAD; with `first`, without that at first */
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#include "harm.h"

CALLED static void execute(const char *program, char *setting)
{
	char *const argv[] = {(char *)"preloaded", NULL}, *const env[] = {(char *)"HARM=yes", setting, NULL};
	int status = -1;
	pid_t child;

	child = fork();
	if (child == 0) {
		execve(program, argv, env);
		_exit(127);
	}
	waitpid(child, &status, 0);
	say("ended with %#x", (unsigned int)status);
}

int main(int argc, char **argv)
{
	char folder[PATH_MAX], program[PATH_MAX + 16], setting[PATH_MAX + 32];
	ssize_t size = readlink("/proc/self/exe", folder, PATH_MAX - 1);

	(void)argv;
	if (size < 0)
		return 1;
	folder[size] = '\0';
	*strrchr(folder, '/') = '\0';
	snprintf(program, sizeof(program), "%s/preloaded", folder);
	snprintf(setting, sizeof(setting), "LD_PRELOAD=%s/libtosses.so", folder);
	if (argc > 1)
		execute(program, NULL);
	execute(program, setting);
	return 0;
}
