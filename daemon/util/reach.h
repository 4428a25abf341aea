/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * util/reach.h - files on file systems that may not answer
 *
 * Whoever opens a file of a server that is gone waits until it is back, which may be never. A thread that others depend on sets
 * a limit: what it asks for here is then asked for by a thread of its own, and given up when it takes longer. That thread stays
 * until it has its answer. Without a limit these are the system calls of the same names.
 */
#ifndef PERFFLOW_UTIL_REACH_H
#define PERFFLOW_UTIL_REACH_H

#include <sys/stat.h>
#include <sys/types.h>

struct reach_limit {
	unsigned int seconds;
	int stop_fd; /* when it can be read, nothing is waited for any more; or -1 */
	void (*pause)(void), (*resume)(void); /* called around a wait that is not over at once; or both NULL */
	/* Called for what did not answer; with NULL when so much did not that nothing is asked for any more. */
	void (*late_fn)(const char *path, void *userdata);
	void *userdata;
};

/*
 * Of the calling thread, from now on; NULL: none. Borrowed while it is set. After one file that did not answer, each other has one
 * second; after two in a folder, none there is asked for.
 */
void reach_set_limit(const struct reach_limit *limit);

/*
 * As open(), stat(), readlink() and pread(), but for -errno, and that less may be read than there is: 0 is the end. -ETIMEDOUT: no
 * answer; -ECANCELED: stopped.
 */
int reach_open(const char *path, int flags);
int reach_stat(const char *path, struct stat *ret_status);
ssize_t reach_readlink(const char *path, char *target, size_t size);
ssize_t reach_read(int fd, void *buffer, size_t size, off_t offset);

#endif
