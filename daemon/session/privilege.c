/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * /proc/PID/status is looked at once it is open: it stays that process's. Its owner is the process's user only as long as the
 * kernel would let that user look into it; after a program with rights, or one that may not be read, it is root. The pidfd tells
 * that the pid had not gone to another process by then.
 *
 * In a user namespace of its own a process may have every capability, over what belongs to the user's namespace alone: there
 * they count for nothing if the namespace is the user's.
 */
#include "session/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "probe/features.h"
#include "util/cleanup.h"

struct identity {
	unsigned int uids[4], gids[4]; /* real, effective, saved, of the file system */
	unsigned long long permitted;  /* capabilities */
	bool has_uids, has_gids, has_permitted;
};

static void read_line(const char *line, struct identity *identity)
{
	unsigned int *uids = identity->uids, *gids = identity->gids;

	if (sscanf(line, "Uid: %u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) == 4)
		identity->has_uids = true;
	else if (sscanf(line, "Gid: %u %u %u %u", &gids[0], &gids[1], &gids[2], &gids[3]) == 4)
		identity->has_gids = true;
	else if (sscanf(line, "CapPrm: %llx", &identity->permitted) == 1)
		identity->has_permitted = true;
}

static bool all_are(const unsigned int ids[4], unsigned int wanted)
{
	for (size_t i = 0; i < 4; i++)
		if (ids[i] != wanted)
			return false;
	return true;
}

static bool is_same_namespace(int fd)
{
	struct stat ours, its;

	return stat("/proc/self/ns/user", &ours) == 0 && fstat(fd, &its) == 0 && ours.st_dev == its.st_dev &&
	       ours.st_ino == its.st_ino;
}

static bool has_own_namespace(pid_t pid, uid_t uid)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	uid_t owner;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && !is_same_namespace(fd) && ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner == uid;
}

static bool is_own(const struct rights *rights, pid_t pid)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct identity identity = { 0 };
	char path[64], line[256];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file || fstat(fileno(file), &status) < 0 || status.st_uid != rights->uid)
		return false;
	while (fgets(line, sizeof(line), file))
		read_line(line, &identity);
	if (!identity.has_uids || !identity.has_gids || !identity.has_permitted)
		return false;
	return all_are(identity.uids, rights->uid) && all_are(identity.gids, rights->gid) &&
	       (!identity.permitted || has_own_namespace(pid, rights->uid));
}

int privilege_check_process(const struct rights *rights, pid_t pid, int pidfd, struct why *why)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0 && is_own(rights, pid) && poll(&end, 1, 0) == 0)
		return 0;
	return why_say(why, -EPERM, "process %d is not yours alone: it is another user's, or has or had other rights", (int)pid);
}

int privilege_check_metrics(const struct metrics *metrics, struct why *why)
{
	if (metrics->with_gpu)
		return why_say(why, -EPERM, "'gpu' shows what others do with the devices: it is for root and those whom the site "
					    "lets trace everything");
	if (metrics->n_hw)
		return why_say(why, -EPERM, "counters of the CPUs count what these do for others too: they are for root and those "
					    "whom the site lets trace everything");
	return 0;
}

static int check_kernel(struct why *why)
{
	if (feature_is_there(FEATURE_UPROBE_MULTI) && feature_is_there(FEATURE_MULTI_PID_FILTER))
		return 0;
	return why_say(why, -EOPNOTSUPP, "this kernel cannot limit probes to one user's processes (Linux 6.10 is needed)");
}

int privilege_check_scope(const struct rights *rights, pid_t pid, bool with_sched, struct why *why)
{
	_cleanup_close_ int pidfd = -1;
	int r;

	if (!pid)
		return why_say(why, -EPERM, "a scope that is not a process of yours shows what others do");
	if (with_sched)
		return why_say(why, -EPERM, "the scheduler's view shows what others run: it is for root and those whom the site "
					    "lets trace everything");
	r = check_kernel(why);
	if (r < 0)
		return r;
	pidfd = pidfd_open(pid, 0); /* -1 is not of any process of theirs */
	return privilege_check_process(rights, pid, pidfd, why);
}
