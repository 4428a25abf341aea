/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * library.h - what Python calls in libperfflow-python.so, by ctypes and with the interpreter's lock
 * held
 *
 * Texts are read during the call alone, and are not copied where nothing else is said.
 */
#ifndef PERFFLOW_PYTHON_LIBRARY_H
#define PERFFLOW_PYTHON_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a program announces itself. An end ends what the thread began last. An id tells, with name and
 * category, what belongs together; scope may be NULL.
 */
void perfflow_begin(const char *name, const char *category);
void perfflow_begin_call(const char *name, const char *category); /* its end is sure to come */
void perfflow_end(void);
void perfflow_mark(const char *name, const char *category);
void perfflow_mark_return(const char *name, const char *category);
void perfflow_async_begin(const char *name, const char *category, uint64_t id, const char *scope);
void perfflow_async_instant(const char *name, const char *category, uint64_t id, const char *scope);
void perfflow_async_end(const char *name, const char *category, uint64_t id, const char *scope);

/*
 * Where the kernel counts who traces "begin", "mark", "mark_return", "async_begin", "async_instant" or
 * "async_end": while it is 0 there is no need to call. NULL: there is no such probe.
 */
const volatile unsigned short *perfflow_semaphore(const char *probe);

/* Takes what PERFFLOW_PY says (perfflow/python.h). -EINVAL: it is malformed, and nothing is selected. */
int perfflow_select(const char *text);

enum function_kind {
	FUNCTION_PLAIN,
	FUNCTION_GENERATOR,
	FUNCTION_TASK, /* a coroutine or an asynchronous generator */
};

struct function;

/*
 * What is told of the calls of a function, or NULL if it is not selected. The texts are copied, and it
 * lives on. also is another name that the module is known by, or NULL.
 */
const struct function *perfflow_function(const char *module, const char *also, const char *name,
					 unsigned int kind);

/* A plain function is called, and has returned, or an exception has left it. */
void perfflow_call(const struct function *function);
void perfflow_return(const struct function *function);
void perfflow_raise(const struct function *function);

enum departure {
	DEPARTURE_WAIT, /* it goes on later */
	DEPARTURE_RETURN,
	DEPARTURE_RAISE,
};

/* A call begins to run, or goes on; and leaves. No other call has its number while it lasts. */
void perfflow_enter(const struct function *function, uint64_t number, bool is_first);
void perfflow_leave(const struct function *function, uint64_t number, enum departure how);

/*
 * Python 3.9 to 3.11. First it is tried whether frames are as we think: after perfflow_frames_try()
 * the caller runs a generator of one value, which has that code and these globals, to its end. -ENOSYS:
 * the interpreter lacks what is needed.
 */
int perfflow_frames_try(int minor, const void *code, const void *globals);
bool perfflow_frames_are_as_expected(void);

/*
 * All frames that begin from now on, in all threads, are looked at. fn is asked about each code object
 * once: it returns what perfflow_function() gave, or NULL.
 */
typedef const struct function *(*decide_fn)(void *code, void *globals);
void perfflow_frames_watch(decide_fn fn);

/* Python 3.8: the same of this thread; then of other threads that call it. -ENOSYS: as above. */
int perfflow_profile_watch(decide_fn fn);
void perfflow_profile_thread(void);

#endif
