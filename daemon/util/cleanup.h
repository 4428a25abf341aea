/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/cleanup.h - resources released by scope */
#ifndef PERFFLOW_UTIL_CLEANUP_H
#define PERFFLOW_UTIL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)

/* Hands a resource on to the caller: the variable no longer owns it. */
#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) _taken = (p); \
		(p) = NULL;                 \
		_taken;                     \
	})
#define take_fd(fd)                \
	({                         \
		int _taken = (fd); \
		(fd) = -1;         \
		_taken;            \
	})

/* For `type_freep` beside `type_free`, as _cleanup_ wants it. */
#define DEFINE_CLEANUP(type, function)           \
	static inline void function##p(type **p) \
	{                                        \
		if (*p)                          \
			function(*p);            \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

DEFINE_CLEANUP(FILE, fclose)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
