/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Within another root symbolic links are followed here by hand: the kernel would follow absolute ones from our own root. */
#include "binary/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/reach.h"

#define MAX_LINKS 40 /* as the kernel */

/* A walk along a path within a root. */
struct walk {
	const char *root;
	char done[PATH_MAX]; /* from the root on, free of links */
	char rest[PATH_MAX];
	unsigned int n_links;
};

static void walk_up(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	if (slash)
		*slash = '\0';
}

static int walk_along_link(struct walk *walk, const char *target, const char *after)
{
	char rest[PATH_MAX];

	if (++walk->n_links > MAX_LINKS)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s%s", target, after) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	if (target[0] == '/')
		walk->done[0] = '\0';
	strcpy(walk->rest, rest);
	return 0;
}

/* Goes one part further; 0 at the end, 1 before it. */
static int walk_on(struct walk *walk)
{
	char full[2 * PATH_MAX], target[PATH_MAX];
	char *part = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(part, "/"), root_length = strlen(walk->root);
	ssize_t n;
	int r;

	if (length == 0)
		return 0;
	if (length == 2 && memcmp(part, "..", 2) == 0) {
		walk_up(walk);
	} else if (length != 1 || part[0] != '.') {
		snprintf(full, sizeof(full), "%s%s/%.*s", walk->root, walk->done, (int)length, part);
		if (strlen(full) >= PATH_MAX)
			return -ENAMETOOLONG;
		n = reach_readlink(full, target, sizeof(target) - 1);
		if (n >= 0) {
			target[n] = '\0';
			r = walk_along_link(walk, target, part + length);
			return r < 0 ? r : 1;
		}
		if (n != -EINVAL) /* that is: no link */
			return n;
		strcpy(walk->done, full + root_length);
	}
	memmove(walk->rest, part + length, strlen(part + length) + 1);
	return 1;
}

int root_resolve(const char *root, const char *path, char **ret_path)
{
	_cleanup_free_ struct walk *walk = NULL;
	int r;

	if (strlen(path) >= PATH_MAX || strlen(root) >= PATH_MAX)
		return -ENAMETOOLONG;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->root = root;
	strcpy(walk->rest, path);
	do
		r = walk_on(walk);
	while (r > 0);
	if (r < 0)
		return r;

	*ret_path = strdup(walk->done[0] ? walk->done : "/");
	return *ret_path ? 0 : -ENOMEM;
}

int root_path(const char *root, const char *path, char **ret_path)
{
	_cleanup_free_ char *resolved = NULL;
	int r;

	if (!root[0]) {
		*ret_path = strdup(path);
		return *ret_path ? 0 : -ENOMEM;
	}
	r = root_resolve(root, path, &resolved);
	if (r < 0)
		return r;
	return asprintf(ret_path, "%s%s", root, resolved) < 0 ? -ENOMEM : 0;
}

int root_open(const char *root, const char *path)
{
	_cleanup_free_ char *full = NULL;
	int r;

	r = root_path(root, path, &full);
	if (r < 0)
		return r;
	return reach_open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int root_read(const char *root, const char *path, size_t max, char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	struct stat status;
	size_t size = 0;
	ssize_t n = 1;

	fd = root_open(root, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if ((uint64_t)status.st_size < max)
		max = status.st_size;
	data = malloc(max + 1);
	if (!data)
		return -ENOMEM;
	while (size < max && n > 0) {
		n = reach_read(fd, data + size, max - size, size);
		if (n < 0)
			return n;
		size += n;
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
}
