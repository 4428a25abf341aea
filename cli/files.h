/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * files.h - makes the files of traced processes while a session runs, on the daemon's request
 *
 * A process of our own does it, so that nothing here waits for a file system. It ends when the
 * daemon closes its end of the socket.
 */
#ifndef PERFFLOW_CLI_FILES_H
#define PERFFLOW_CLI_FILES_H

#include <sys/types.h>

#include "util/why.h"

/*
 * folder: all files go there, and are ours; it is made if it is missing. NULL: each goes where its
 * process wants it and belongs to its user, as far as our rights go. *ret_fd is for the daemon.
 */
int files_start(const char *folder, pid_t *ret_pid, int *ret_fd, struct why *why);

#endif
