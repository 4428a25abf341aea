/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/rights.h - whether a user could have opened a file, asked by one who may open every file */
#ifndef PERFFLOW_BINARY_RIGHTS_H
#define PERFFLOW_BINARY_RIGHTS_H

#include <stddef.h>
#include <sys/types.h>

struct rights {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* those beside; borrowed */
	size_t n_groups;
};

/* A copy that owns its groups, until rights_done(). */
int rights_copy(const struct rights *rights, struct rights *ret_copy);
void rights_done(struct rights *rights);

/*
 * Whether the user may read the file that is open, and reach it: mode bits, groups and access control lists, of it and of the
 * folders above. path is what it was opened by. -EACCES: the file is not the user's to read; -ENOENT: a folder above is not to
 * be looked into, so that not even its existence is the user's to know.
 */
int rights_check_file(const struct rights *rights, int fd, const char *path);

/* -EPERM: the file that is open is made to give who executes it other rights: another user's, another group's, or capabilities. */
int rights_check_program(const struct rights *rights, int fd);

/* For the struct binary_opener of a user's session, which is the userdata: debug files are to be the user's to read as well. */
int rights_open_debug_file(void *rights, const char *path, char **ret_location);

#endif
