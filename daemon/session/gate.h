/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/gate.h - holds a process of the session at the door of execve() until the new program is woven
 *
 * Otherwise what a script starts would run for a moment before the daemon hears of it. Needs fanotify's permission events
 * (CAP_SYS_ADMIN); where they cannot be had the session goes on without, and says which programs were woven late.
 */
#ifndef PERFFLOW_SESSION_GATE_H
#define PERFFLOW_SESSION_GATE_H

#include <sys/types.h>

#include "util/cleanup.h"

struct gate;

/* processes_fd is the BPF map of the processes in scope, by pid: all others pass at once. */
int gate_open(int processes_fd, struct gate **ret_gate);
void gate_close(struct gate *gate);
DEFINE_CLEANUP(struct gate, gate_close)

/* Readable when a process waits, or the gate is gone. */
int gate_fd(const struct gate *gate);

/*
 * Takes one waiting process: returns 1, its pid and a path to open the file by that it is about to execute (valid until the
 * next call); 0 if none waits, or -EPIPE if the gate is gone. gate_pass() lets it go on.
 */
int gate_next(struct gate *gate, pid_t *ret_pid, const char **ret_path);
int gate_file(const struct gate *gate); /* that file, open; the gate's, until the process goes on */
void gate_pass(struct gate *gate);

#endif
