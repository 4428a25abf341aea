/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A probe is an instruction, so each has to be written down: by macros, a function for each. */
#include "slots.h"

#include "perfflow/aspect.h"
#include "probe.h"

#define PROBE(probe)                                                                               \
	extern SEMAPHORE(perfflow_python, probe);                                                  \
	static void probe(const char *name, const char *module, uint64_t id)                       \
	{                                                                                          \
		TOUCH(name);                                                                       \
		TOUCH(module);                                                                     \
		__asm__ __volatile__(PERFFLOW_NOTE_FROM_(PF_PYTHON_PROVIDER, #probe,               \
							 "8@%0 8@%1 8@%2")                         \
				     :                                                             \
				     : "r"(name), "r"(module), "r"(id)                             \
				     : "memory");                                                  \
	}

#define SLOT(n)                                                                                    \
	PROBE(enter_##n)                                                                           \
	PROBE(leave_##n)                                                                           \
	PROBE(start_##n)                                                                           \
	PROBE(finish_##n)                                                                          \
	PROBE(return_##n)                                                                          \
	PROBE(task_start_##n)                                                                      \
	PROBE(task_finish_##n)

/* clang-format off */
SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7)
SLOT(8) SLOT(9) SLOT(10) SLOT(11) SLOT(12) SLOT(13) SLOT(14) SLOT(15)
/* clang-format on */

#define ENTRY(probe)                                                                               \
	{                                                                                          \
		&perfflow_python_##probe##_semaphore, probe                                        \
	}
#define ENTRIES(n)                                                                                 \
	{                                                                                          \
		[PF_PYTHON_ENTER] = ENTRY(enter_##n), [PF_PYTHON_LEAVE] = ENTRY(leave_##n),        \
		[PF_PYTHON_START] = ENTRY(start_##n), [PF_PYTHON_FINISH] = ENTRY(finish_##n),      \
		[PF_PYTHON_RETURN] = ENTRY(return_##n),                                            \
		[PF_PYTHON_TASK_START] = ENTRY(task_start_##n),                                    \
		[PF_PYTHON_TASK_FINISH] = ENTRY(task_finish_##n),                                  \
	}

const struct slot_probe slot_probes[PF_PYTHON_MAX_SLOTS][PF_PYTHON_N_PROBES] = {
	ENTRIES(0),  ENTRIES(1),  ENTRIES(2),  ENTRIES(3),  ENTRIES(4),	 ENTRIES(5),
	ENTRIES(6),  ENTRIES(7),  ENTRIES(8),  ENTRIES(9),  ENTRIES(10), ENTRIES(11),
	ENTRIES(12), ENTRIES(13), ENTRIES(14), ENTRIES(15),
};
