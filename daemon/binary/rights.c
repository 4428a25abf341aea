/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The rules are the kernel's (acl_permission_check(), posix_acl_permission()). The descriptor is asked, not its path, which may
 * lead elsewhere by now. The folders are those of the path that the kernel knows the open file by, walked from the root of the
 * process through which it was opened or from ours, and the walk has to end at the very file.
 *
 * A file that has no path any more (replaced while it runs) is opened through a process that has it mapped, which is the
 * user's: there are no folders to ask then.
 *
 * Decided against: opening files as the user (setfsuid), for which the service would need the right to become anybody.
 */
#include "binary/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "binary/debugfile.h"
#include "util/cleanup.h"
#include "util/text.h"

#define MAX_ACL_BYTES 4096

enum { MAY_SEARCH = 1, MAY_READ = 4 };

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[(MAX_ACL_BYTES - 4) / sizeof(struct posix_acl_xattr_entry)];
};

int rights_copy(const struct rights *rights, struct rights *ret_copy)
{
	gid_t *groups = malloc((rights->n_groups + 1) * sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	if (rights->n_groups)
		memcpy(groups, rights->groups, rights->n_groups * sizeof(*groups));
	*ret_copy = *rights;
	ret_copy->groups = groups;
	return 0;
}

void rights_done(struct rights *rights)
{
	free((gid_t *)rights->groups);
	*rights = (struct rights){ 0 };
}

static bool is_in_group(const struct rights *rights, gid_t gid)
{
	if (rights->gid == gid)
		return true;
	for (size_t i = 0; i < rights->n_groups; i++)
		if (rights->groups[i] == gid)
			return true;
	return false;
}

/* What the list grants to users and groups that it names is what its mask leaves of it. */
static unsigned int acl_mask(const struct acl *acl, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (acl->entries[i].e_tag == ACL_MASK)
			return acl->entries[i].e_perm;
	return 7;
}

/* Of who is not the owner. */
static bool acl_grants(const struct rights *rights, const struct stat *status, const struct acl *acl, size_t n,
		       unsigned int wanted)
{
	unsigned int mask = acl_mask(acl, n), other = 0;
	bool is_member = false;

	for (size_t i = 0; i < n; i++) {
		const struct posix_acl_xattr_entry *entry = &acl->entries[i];
		bool is_group = entry->e_tag == ACL_GROUP_OBJ || entry->e_tag == ACL_GROUP;

		if (entry->e_tag == ACL_USER && entry->e_id == rights->uid)
			return (entry->e_perm & mask & wanted) == wanted;
		if (entry->e_tag == ACL_OTHER)
			other = entry->e_perm;
		if (!is_group || !is_in_group(rights, entry->e_tag == ACL_GROUP ? entry->e_id : status->st_gid))
			continue;
		is_member = true;
		if ((entry->e_perm & mask & wanted) == wanted)
			return true;
	}
	return !is_member && (other & wanted) == wanted;
}

static bool mode_grants(const struct rights *rights, const struct stat *status, unsigned int wanted)
{
	unsigned int shift = is_in_group(rights, status->st_gid) ? 3 : 0;

	return (status->st_mode >> shift & wanted) == wanted;
}

/* The kernel keeps the entries of users before those of groups, and these before the others'. A list that is too long grants nothing. */
static bool grants(const struct rights *rights, int fd, const struct stat *status, unsigned int wanted)
{
	struct acl acl;
	ssize_t size;

	if (status->st_uid == rights->uid)
		return (status->st_mode >> 6 & wanted) == wanted;
	size = fgetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl));
	if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return false;
	if (size < (ssize_t)sizeof(acl.header))
		return mode_grants(rights, status, wanted);
	return acl_grants(rights, status, &acl, (size - sizeof(acl.header)) / sizeof(acl.entries[0]), wanted);
}

/* "/proc/12/root" of "/proc/12/root/usr/bin/x"; "" where it leads through no process's root. */
static void find_root(const char *path, char *root, size_t size)
{
	size_t n = strspn(path, "/");
	const char *p = path;

	root[0] = '\0';
	if (n != 1 || strncmp(p, "/proc/", 6) != 0)
		return;
	p += 6 + strspn(p + 6, "0123456789");
	if (strncmp(p, "/root/", 6) != 0 || (size_t)(p + 5 - path) >= size)
		return;
	memcpy(root, path, p + 5 - path);
	root[p + 5 - path] = '\0';
}

static bool is_through_mapping(const char *path)
{
	const char *p = path + 6 + (strncmp(path, "/proc/", 6) == 0 ? strspn(path + 6, "0123456789") : 0);

	return strncmp(path, "/proc/", 6) == 0 && strncmp(p, "/map_files/", 11) == 0;
}

/* Whether each folder on the path may be searched, and the last part is that file. */
static bool may_reach(const struct rights *rights, const char *root, char *path, const struct stat *file)
{
	_cleanup_close_ int folder = open(root[0] ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *part, *next = path + 1;
	struct stat status;

	while (folder >= 0 && (part = strsep(&next, "/"))) {
		if (fstat(folder, &status) < 0 || !grants(rights, folder, &status, MAY_SEARCH))
			return false;
		if (!next)
			return fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_dev == file->st_dev &&
			       status.st_ino == file->st_ino;
		int below = openat(folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close(folder);
		folder = below;
	}
	return false;
}

int rights_check_file(const struct rights *rights, int fd, const char *path)
{
	char link[64], root[64], own_path[PATH_MAX], walked[PATH_MAX];
	struct stat status;
	ssize_t n;

	if (fstat(fd, &status) < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, own_path, sizeof(own_path) - 1);
	if (n <= 0 || own_path[0] != '/')
		return -ENOENT;
	own_path[n] = '\0';
	if (!is_through_mapping(path)) {
		find_root(path, root, sizeof(root));
		memcpy(walked, own_path, n + 1);
		if (!may_reach(rights, root, walked, &status)) {
			memcpy(walked, own_path, n + 1);
			if (!root[0] || !may_reach(rights, "", walked, &status))
				return -ENOENT;
		}
	}
	return grants(rights, fd, &status, MAY_READ) ? 0 : -EACCES;
}

static bool gives_other_rights(const struct rights *rights, int fd, const struct stat *status)
{
	if (status->st_mode & S_ISUID && status->st_uid != rights->uid)
		return true;
	if ((status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status->st_gid != rights->gid)
		return true;
	return fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

int rights_check_program(const struct rights *rights, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	return gives_other_rights(rights, fd, &status) ? -EPERM : 0;
}

int rights_open_debug_file(void *rights, const char *path, char **ret_location)
{
	_cleanup_free_ char *location = NULL;
	_cleanup_close_ int fd = debug_file_open_path(path, &location);
	int r;

	if (fd < 0)
		return fd;
	r = rights_check_file(rights, fd, path);
	if (r < 0)
		return r;
	*ret_location = take_ptr(location);
	return take_fd(fd);
}
