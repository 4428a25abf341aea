/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/execution.h - the environment that a process is about to hand to a program, which /proc/PID/environ does not have yet */
#ifndef PERFFLOW_BINARY_EXECUTION_H
#define PERFFLOW_BINARY_EXECUTION_H

#include <stddef.h>
#include <sys/types.h>

/*
 * While one of its threads is held inside of execve(): the values of n variables, each the caller's, NULL where it is unset. -ENOENT:
 * none is there, or what is there cannot be read. Nothing that it says may be believed: it is the process's own memory.
 */
int execution_environment(pid_t pid, const char *const *names, char **ret_values, size_t n);

#endif
