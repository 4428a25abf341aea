/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the user database says is kept, that it knows nobody as well: asking it may mean asking a
 * directory server. A failure to ask counts as nobody too, so that a server that is gone is waited
 * for once and not for each process.
 */
#include "util/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define FIRST_BYTES 1024
#define MAX_BYTES   (1 << 20)

static char nobody[] = "";

static void free_name(char *name)
{
	if (name != nobody)
		free(name);
}

void users_done(struct users *users)
{
	size_t cursor = 0;
	char *name;

	while ((name = hash_next(&users->names, &cursor, NULL)))
		free_name(name);
	hash_done(&users->names);
}

/* A copy of the name, nobody, or NULL if there is no memory. */
static char *ask(uint32_t uid)
{
	for (size_t size = FIRST_BYTES; size <= MAX_BYTES; size *= 2) {
		_cleanup_free_ char *buffer = malloc(size);
		struct passwd entry, *found = NULL;
		int r;

		if (!buffer)
			return NULL;
		r = getpwuid_r(uid, &entry, buffer, size, &found);
		if (r == 0)
			return found ? strdup(found->pw_name) : nobody;
		if (r != ERANGE)
			break;
	}
	return nobody;
}

const char *users_name(struct users *users, uint32_t uid)
{
	char *name = hash_find(&users->names, uid);

	if (!name) {
		name = ask(uid);
		if (name && hash_put(&users->names, uid, name) < 0) {
			free_name(name);
			return NULL;
		}
	}
	return name && name != nobody ? name : NULL;
}

int group_find(const char *name, gid_t *ret_gid)
{
	for (size_t size = FIRST_BYTES; size <= MAX_BYTES; size *= 2) {
		_cleanup_free_ char *buffer = malloc(size);
		struct group entry, *found = NULL;
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getgrnam_r(name, &entry, buffer, size, &found);
		if (r == 0 && found) {
			*ret_gid = found->gr_gid;
			return 0;
		}
		if (r != ERANGE)
			break;
	}
	return -ENOENT;
}
