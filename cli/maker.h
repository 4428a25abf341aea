/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * maker.h - a process of our own that makes files for the daemon while a session runs
 *
 * So nothing here waits for a file system. It ends when the daemon closes its end of the socket.
 */
#ifndef PERFFLOW_CLI_MAKER_H
#define PERFFLOW_CLI_MAKER_H

#include <json-c/json.h>
#include <sys/types.h>

#include "util/why.h"

struct maker {
	const char *name; /* of the process */
	/* Returns the file's descriptor, which it owns no more, or a negative errno; reply may get members. */
	int (*make)(void *userdata, struct json_object *request, struct json_object *reply);
	void (*on_end)(void *userdata); /* or NULL */
	int *kept_fd; /* a descriptor that it needs, whose number changes there; or NULL */
	void *userdata;
};

/* *ret_fd is for the daemon. */
int maker_start(const struct maker *maker, pid_t *ret_pid, int *ret_fd, struct why *why);

#endif
