// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * launches NAME - C all through, and executes the program of that name beside it, which is not; without a name it sorts on
 * until its standard input ends
 */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harm.h"
#include "sorts.h"

CALLED static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

CALLED static void sort(void)
{
	int values[] = {5, 3, 8, 1};

	sort_plainly(values, 4, compare);
	say("%d %d %d %d", values[0], values[1], values[2], values[3]);
}

CALLED static int launch(const char *name)
{
	char path[PATH_MAX + 256];
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX);
	int status = -1;
	pid_t child;

	if (size < 0)
		return 1;
	path[size] = '\0';
	snprintf(strrchr(path, '/') + 1, 256, "%s", name);
	child = fork();
	if (child == 0) {
		execl(path, name, (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	say("%s ended with %#x", name, (unsigned int)status);
	return 0;
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};

	if (argc > 1) {
		sort();
		return launch(argv[1]);
	}
	do {
		sort();
	} while (poll(&input, 1, 10) == 0);
	return 0;
}
