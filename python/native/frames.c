/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Python 3.9 to 3.11: a function of ours stands between the interpreter and the one that executes
 * frames (PEP 523). A call of a function that is not selected costs one look at its code object.
 * Python 3.8 cannot be told of that one, but has the same frames, and a profile function for each
 * thread.
 *
 * Nothing of Python is linked or included: the same file is for all of these versions. Its functions
 * are found by name, and the few fields that are read are at places that differ by version; the
 * caller tries them out before it relies on them (perfflow_frames_try).
 *
 * Python 3.11 needs no C stack for calls from Python to Python, but for those that go through here.
 * So a program that recurses deeper than its stack has room for is left alone down there: past half
 * of it no frames are looked at, until the calls are back above.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "probe.h"

typedef void *(*evaluate_fn)(void *thread, void *frame, int is_thrown);

#define NOT_SELECTED ((void *)1)

#define OPCODE_YIELD_VALUE	 86 /* of Python 3.11 */
#define OPCODE_RETURN_GENERATOR	 75
#define FRAME_OWNED_BY_GENERATOR 1
#define FRAME_SUSPENDED		 -1 /* of Python 3.10 */

static struct {
	evaluate_fn execute;
	void (*set)(void *interpreter, evaluate_fn fn);
	void *interpreter;
	int (*get_extra)(void *code, long index, void **ret_extra);
	int (*set_extra)(void *code, long index, void *extra);
	void (*error_take)(void **type, void **value, void **traceback);
	void (*error_give)(void *type, void *value, void *traceback);
	void (*set_profile)(int (*fn)(void *, void *, int, void *), void *argument);
	long index; /* of what we keep with code objects */
	int minor;  /* of the version of Python */
	decide_fn decide;
} python;

static __thread bool is_deciding;
static __thread const char *stack_limit;

static void *field(const void *frame, size_t offset)
{
	void *value;

	memcpy(&value, (const char *)frame + offset, sizeof(value));
	return value;
}

static void *frame_code(const void *frame)
{
	return field(frame, 32);
}

static void *frame_globals(const void *frame)
{
	return field(frame, python.minor == 11 ? 8 : 48);
}

/* What follows is for generators and coroutines. In Python 3.11 the call that makes one has a frame too. */
static bool frame_only_makes_it(const void *frame)
{
	return python.minor == 11 && ((const char *)frame)[69] != FRAME_OWNED_BY_GENERATOR;
}

static bool frame_is_new(const void *frame)
{
	int last;

	if (python.minor == 11)
		return *(unsigned char *)field(frame, 56) == OPCODE_RETURN_GENERATOR;
	memcpy(&last, (const char *)frame + (python.minor == 10 ? 96 : 104), sizeof(last));
	return last == -1;
}

static bool frame_is_suspended(const void *frame)
{
	if (python.minor == 11)
		return *(unsigned char *)field(frame, 56) == OPCODE_YIELD_VALUE;
	if (python.minor == 10)
		return ((const signed char *)frame)[108] == FRAME_SUSPENDED;
	return field(frame, 72) != NULL;
}

/* For the first frame of a code object. */
static const struct function *decide(void *frame)
{
	const struct function *function;
	void *type, *value, *traceback;

	is_deciding = true;
	python.error_take(&type, &value, &traceback);
	function = python.decide(frame_code(frame), frame_globals(frame));
	python.error_give(type, value, traceback);
	is_deciding = false;
	python.set_extra(frame_code(frame), python.index, function ? (void *)function : NOT_SELECTED);
	return function;
}

static const struct function *find_function(void *frame)
{
	void *extra = NULL;

	python.get_extra(frame_code(frame), python.index, &extra);
	if (extra)
		return extra == NOT_SELECTED ? NULL : extra;
	return is_deciding ? NULL : decide(frame);
}

static void find_stack_limit(void)
{
	pthread_attr_t attributes;
	void *lowest = NULL;
	size_t size = 0;

	stack_limit = "";
	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	if (pthread_attr_getstack(&attributes, &lowest, &size) == 0)
		stack_limit = (const char *)lowest + size / 2;
	pthread_attr_destroy(&attributes);
}

static void *evaluate(void *thread, void *frame, int is_thrown);

/* The stack grows down. */
static bool is_too_deep(void)
{
	if (!stack_limit)
		find_stack_limit();
	return (const char *)__builtin_frame_address(0) < stack_limit;
}

static void *evaluate_unseen(void *thread, void *frame, int is_thrown)
{
	void *result;

	python.set(python.interpreter, python.execute);
	result = python.execute(thread, frame, is_thrown);
	python.set(python.interpreter, evaluate);
	return result;
}

/* result is NULL where an exception leaves. */
static enum departure departure_of(const void *frame, const void *result)
{
	if (!result)
		return DEPARTURE_RAISE;
	return frame_is_suspended(frame) ? DEPARTURE_WAIT : DEPARTURE_RETURN;
}

static void *evaluate_selected(const struct function *function, void *thread, void *frame,
			       int is_thrown)
{
	bool is_plain = function_is_plain(function);
	uint64_t number = (uintptr_t)frame;
	void *result;

	if (!is_plain && frame_only_makes_it(frame))
		return python.execute(thread, frame, is_thrown);
	perfflow_enter(function, number, is_plain || frame_is_new(frame));
	result = python.execute(thread, frame, is_thrown);
	perfflow_leave(function, number,
		       is_plain && result ? DEPARTURE_RETURN : departure_of(frame, result));
	return result;
}

static void *evaluate(void *thread, void *frame, int is_thrown)
{
	const struct function *function;

	if (python.minor == 11 && is_too_deep())
		return evaluate_unseen(thread, frame, is_thrown);
	function = find_function(frame);
	return function ? evaluate_selected(function, thread, frame, is_thrown)
			: python.execute(thread, frame, is_thrown);
}

static int find(const char *name, void *ret_function)
{
	void *function = dlsym(RTLD_DEFAULT, name);

	memcpy(ret_function, &function, sizeof(function));
	return function ? 0 : -ENOSYS;
}

static int find_notes(void)
{
	long (*request_index)(void (*free_fn)(void *));
	int r;

	r = find("_PyEval_RequestCodeExtraIndex", &request_index);
	r = r ?: find("_PyCode_GetExtra", &python.get_extra);
	r = r ?: find("_PyCode_SetExtra", &python.set_extra);
	r = r ?: find("PyErr_Fetch", &python.error_take);
	r = r ?: find("PyErr_Restore", &python.error_give);
	if (r < 0)
		return r;
	python.index = request_index(NULL);
	return python.index < 0 ? -ENOSYS : 0;
}

static int find_python(void)
{
	void *(*interpreter)(void);
	int r;

	r = find("_PyEval_EvalFrameDefault", &python.execute);
	r = r ?: find("_PyInterpreterState_SetEvalFrameFunc", &python.set);
	r = r ?: find("PyInterpreterState_Get", &interpreter);
	r = r ?: find_notes();
	if (r == 0)
		python.interpreter = interpreter();
	return r;
}

/* Before anything is relied on: what a generator's frames look like at the caller's two calls of it. */
static struct {
	const void *code, *globals;
	unsigned int seen; /* bits: it was new, 4 it was not; 2 it waits, 8 it has ended */
} trial;

static void *evaluate_on_trial(void *thread, void *frame, int is_thrown)
{
	bool is_it = frame_code(frame) == trial.code && frame_globals(frame) == trial.globals &&
		     !frame_only_makes_it(frame);
	void *result;

	if (is_it)
		trial.seen |= frame_is_new(frame) ? 1 : 4;
	result = python.execute(thread, frame, is_thrown);
	if (is_it)
		trial.seen |= frame_is_suspended(frame) ? 2 : 8;
	return result;
}

EXPORT int perfflow_frames_try(int minor, const void *code, const void *globals)
{
	int r;

	if (minor < 9 || minor > 11 || sizeof(void *) != 8)
		return -ENOSYS;
	python.minor = minor;
	trial.code = code;
	trial.globals = globals;
	r = find_python();
	if (r == 0)
		python.set(python.interpreter, evaluate_on_trial);
	return r;
}

EXPORT bool perfflow_frames_are_as_expected(void)
{
	python.set(python.interpreter, python.execute);
	return trial.seen == (1 | 2 | 4 | 8);
}

EXPORT void perfflow_frames_watch(decide_fn fn)
{
	python.decide = fn;
	python.set(python.interpreter, evaluate);
}

/* The events of a profile function that count here. */
#define EVENT_CALL   0
#define EVENT_RETURN 3

static int on_event(void *argument, void *frame, int event, void *result)
{
	const struct function *function;
	uint64_t number = (uintptr_t)frame;

	(void)argument;
	if (event != EVENT_CALL && event != EVENT_RETURN)
		return 0;
	function = find_function(frame);
	if (function && event == EVENT_CALL)
		perfflow_enter(function, number, frame_is_new(frame));
	else if (function)
		perfflow_leave(function, number, departure_of(frame, result));
	return 0;
}

EXPORT void perfflow_profile_thread(void)
{
	python.set_profile(on_event, NULL);
}

EXPORT int perfflow_profile_watch(decide_fn fn)
{
	int r;

	python.minor = 8;
	python.decide = fn;
	r = find("PyEval_SetProfile", &python.set_profile);
	r = r ?: find_notes();
	if (r == 0)
		perfflow_profile_thread();
	return r;
}
