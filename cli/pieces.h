/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * pieces.h - the files of a trace that goes on in another one after some size or time
 *
 * They are made while the session runs, on the daemon's request, by a process of our own that ends
 * when the daemon closes its end of the socket.
 */
#ifndef PERFFLOW_CLI_PIECES_H
#define PERFFLOW_CLI_PIECES_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/why.h"

/* "melt.json.gz" and 3 are "melt.000003.json.gz": in the order of their names they are a trace. */
int pieces_name(const char *path, unsigned int number, char **ret_name);

/* Opens one for writing, empty; whether it was made is told. Returns the descriptor. */
int pieces_open(const char *name, bool *ret_is_new);

/*
 * path is that of the whole, first_fd its first piece. Of the pieces the keep newest stay; 0: all.
 * *ret_fd is for the daemon.
 */
int pieces_start(const char *path, int first_fd, unsigned int keep, pid_t *ret_pid, int *ret_fd,
		 struct why *why);

#endif
