/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the decorators and direct events of the package announce: the static probes of
 * perfflow/aspect.h, for callers who cannot have them in their own code; and three things that only
 * Python has: regions that are calls, the mark of a return, and asynchronous events with a scope.
 */
#include "library.h"

#include <string.h>

#include "perfflow/aspect.h"
#include "probe.h"

extern SEMAPHORE(perfflow, mark_return);

#define ANNOUNCE_ASYNC(probe, name, category, id, scope)                                           \
	do {                                                                                       \
		if (perfflow_##probe##_semaphore) {                                                \
			TOUCH(name);                                                               \
			TOUCH(category);                                                           \
			TOUCH(scope);                                                              \
			__asm__ __volatile__(                                                      \
				PERFFLOW_NOTE_FROM_("perfflow", #probe, "8@%0 8@%1 8@%2 8@%3")     \
				:                                                                  \
				: "r"(name), "r"(category), "r"(id), "r"(scope)                    \
				: "memory");                                                       \
		}                                                                                  \
	} while (0)

EXPORT void perfflow_begin(const char *name, const char *category)
{
	PERFFLOW_BEGIN(name, category);
}

EXPORT void perfflow_begin_call(const char *name, const char *category)
{
	if (perfflow_begin_semaphore) {
		TOUCH(name);
		TOUCH(category);
		__asm__ __volatile__(PERFFLOW_NOTE_FROM_("perfflow", "begin", "8@%0 8@%1 4@%2")
				     :
				     : "r"(name), "r"(category), "i"(1)
				     : "memory");
	}
}

EXPORT void perfflow_end(void)
{
	PERFFLOW_END();
}

EXPORT void perfflow_mark(const char *name, const char *category)
{
	PERFFLOW_MARK(name, category);
}

EXPORT void perfflow_mark_return(const char *name, const char *category)
{
	PERFFLOW_PROBE_2_(mark_return, name, category);
}

EXPORT void perfflow_async_begin(const char *name, const char *category, uint64_t id,
				 const char *scope)
{
	ANNOUNCE_ASYNC(async_begin, name, category, id, scope);
}

EXPORT void perfflow_async_instant(const char *name, const char *category, uint64_t id,
				   const char *scope)
{
	ANNOUNCE_ASYNC(async_instant, name, category, id, scope);
}

EXPORT void perfflow_async_end(const char *name, const char *category, uint64_t id,
			       const char *scope)
{
	ANNOUNCE_ASYNC(async_end, name, category, id, scope);
}

EXPORT const volatile unsigned short *perfflow_semaphore(const char *probe)
{
	static const struct {
		const char *probe;
		const volatile unsigned short *semaphore;
	} semaphores[] = {
		{"begin", &perfflow_begin_semaphore},
		{"mark", &perfflow_mark_semaphore},
		{"mark_return", &perfflow_mark_return_semaphore},
		{"async_begin", &perfflow_async_begin_semaphore},
		{"async_instant", &perfflow_async_instant_semaphore},
		{"async_end", &perfflow_async_end_semaphore},
	};

	for (size_t i = 0; i < sizeof(semaphores) / sizeof(semaphores[0]); i++) {
		if (strcmp(semaphores[i].probe, probe) == 0)
			return semaphores[i].semaphore;
	}
	return NULL;
}
