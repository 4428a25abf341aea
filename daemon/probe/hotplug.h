/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* probe/hotplug.h - CPUs come and go while a session runs, and what the kernel did for us on one that went is gone with it */
#ifndef PERFFLOW_PROBE_HOTPLUG_H
#define PERFFLOW_PROBE_HOTPLUG_H

#include <stdint.h>

#define HOTPLUG_FOLDER "/sys/devices/system/cpu"

/* Tells the present life of a CPU from those before; 0 if it is not there. The folder is HOTPLUG_FOLDER. */
uint64_t hotplug_life(const char *folder, unsigned int cpu);

#endif
