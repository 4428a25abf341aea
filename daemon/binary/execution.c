/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel tells which call each thread waits in, with its arguments, and the memory of the process has what these point to: that
 * may be of a file, whose file system does not answer.
 * Decided against: a BPF program at the entry of execve(), which would have to search the same memory for every process of the
 * machine, in the kernel.
 */
#include "binary/execution.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/reach.h"

#define MAX_VARIABLES	16384
#define POINTERS_AT_ONCE 256
#define MAX_NAME_BYTES	64
#define MAX_VALUE_BYTES 65536

/* The address of the environment, where this thread is in execve(); else 0. */
static uint64_t environment_at(pid_t pid, const char *thread)
{
	_cleanup_close_ int fd = -1;
	uint64_t arguments[4];
	char path[64], line[256];
	ssize_t size;
	long call;

	if (snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, thread) >= (int)sizeof(path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (size <= 0)
		return 0;
	line[size] = '\0';
	if (sscanf(line, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, &call, &arguments[0], &arguments[1], &arguments[2],
		   &arguments[3]) != 5)
		return 0;
	if (call == SYS_execve)
		return arguments[2];
	return call == SYS_execveat ? arguments[3] : 0;
}

static uint64_t find_environment(pid_t pid)
{
	struct dirent *entry;
	uint64_t address = 0;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = opendir(path);
	while (threads && !address && (entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			address = environment_at(pid, entry->d_name);
	if (threads)
		closedir(threads);
	return address;
}

/* What is there up to a 0, as far as it can be read; NULL without memory, or if there is nothing. */
static char *read_text(int memory, uint64_t address, size_t max_bytes)
{
	_cleanup_free_ char *text = malloc(max_bytes + 1);
	size_t size = 0;

	while (text && size < max_bytes) {
		size_t page_left = 4096 - (address + size) % 4096, wanted = max_bytes - size;
		ssize_t n = reach_read(memory, text + size, wanted < page_left ? wanted : page_left, address + size);

		if (n <= 0)
			break;
		if (memchr(text + size, '\0', n))
			return take_ptr(text);
		size += n;
	}
	if (!text || !size)
		return NULL;
	text[size] = '\0';
	return take_ptr(text);
}

static bool is_named(const char *variable, const char *name)
{
	size_t length = strlen(name);

	return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

/* Like getenv(), the first of a name counts. */
static void take_variable(int memory, uint64_t address, const char *const *names, char **values, size_t n)
{
	_cleanup_free_ char *beginning = read_text(memory, address, MAX_NAME_BYTES);

	for (size_t i = 0; beginning && i < n; i++)
		if (!values[i] && is_named(beginning, names[i]))
			values[i] = read_text(memory, address + strlen(names[i]) + 1, MAX_VALUE_BYTES);
}

static void take_variables(int memory, uint64_t address, const char *const *names, char **values, size_t n)
{
	uint64_t pointers[POINTERS_AT_ONCE];

	for (size_t taken = 0; taken < MAX_VARIABLES; taken += POINTERS_AT_ONCE) {
		/* as far as can be read: the list may end with its page */
		ssize_t size = reach_read(memory, pointers, sizeof(pointers), address + taken * sizeof(*pointers));

		for (size_t i = 0; i < POINTERS_AT_ONCE; i++) {
			if (size < (ssize_t)((i + 1) * sizeof(*pointers)) || !pointers[i])
				return;
			take_variable(memory, pointers[i], names, values, n);
		}
	}
}

int execution_environment(pid_t pid, const char *const *names, char **ret_values, size_t n)
{
	uint64_t address = find_environment(pid);
	_cleanup_close_ int memory = -1;
	char path[64];

	if (!address)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0)
		return -ENOENT;
	memset(ret_values, 0, n * sizeof(*ret_values));
	take_variables(memory, address, names, ret_values, n);
	return 0;
}
