/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* slots.h - the static probes of the provider "perfflow_python" (perfflow/python.h) */
#ifndef PERFFLOW_PYTHON_SLOTS_H
#define PERFFLOW_PYTHON_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "perfflow/python.h"

struct slot_probe {
	const volatile unsigned short *semaphore; /* the kernel's count of those who trace it */
	void (*hit)(const char *name, const char *module, uint64_t id);
};

extern const struct slot_probe slot_probes[PF_PYTHON_MAX_SLOTS][PF_PYTHON_N_PROBES];

static inline void slot_tell(unsigned int slot, enum pf_python_probe which, const char *name,
			     const char *module, uint64_t id)
{
	const struct slot_probe *probe = &slot_probes[slot][which];

	if (*probe->semaphore)
		probe->hit(name, module, id);
}

#endif
