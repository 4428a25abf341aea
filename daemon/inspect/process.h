/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* inspect/process.h - starting and ending the process that is the inspector */
#ifndef PERFFLOW_INSPECT_PROCESS_H
#define PERFFLOW_INSPECT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct inspector_process {
	pid_t pid; /* 0: there is none */
	int fd;	   /* our end of the socket, or -1 */
};

int inspector_process_start(const char *program, struct inspector_process *ret_process);

/* Whether it waits for a request, as it should. */
bool inspector_process_is_idle(const struct inspector_process *process);

/* Ends it if it has not ended, and writes how: "crashed (Segmentation fault)", "ended (exit status 1)". */
void inspector_process_end(struct inspector_process *process, char *ret_how, size_t size);

#endif
