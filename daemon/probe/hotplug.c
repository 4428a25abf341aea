/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel makes a CPU's folder `topology` when the CPU comes and removes it when it goes, and gives no number of sysfs to
 * two folders. `online` would not tell that a CPU has gone and come back between two looks, and the kernel tells of it by
 * network sockets alone, which the daemon may not have.
 */
#include "probe/hotplug.h"

#include <stdio.h>
#include <sys/stat.h>

uint64_t hotplug_life(const char *folder, unsigned int cpu)
{
	char path[256];
	struct stat status;

	snprintf(path, sizeof(path), "%s/cpu%u/topology", folder, cpu);
	return stat(path, &status) < 0 ? 0 : status.st_ino;
}
