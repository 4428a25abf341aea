/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/user.h - names of users, each asked for once */
#ifndef PERFFLOW_UTIL_USER_H
#define PERFFLOW_UTIL_USER_H

#include <stdint.h>
#include <sys/types.h>

#include "util/hash.h"

struct users {		   /* all zero is empty */
	struct hash names; /* by uid */
};

void users_done(struct users *users);

/*
 * The user's name, or NULL for one without. Lives until users_done(). The first time it may take as
 * long as the system's user database does, which may be across the network.
 */
const char *users_name(struct users *users, uint32_t uid);

/* The number of a group; -ENOENT if there is none of that name, or nobody to ask. */
int group_find(const char *name, gid_t *ret_gid);

#endif
