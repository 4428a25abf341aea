/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Patterns are asked once for each function. What is not written by anybody as a function (the code
 * of a module or comprehension) is selected only by a pattern that has a '<' itself.
 */
#include "library.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "probe.h"
#include "slots.h"

#define N_COMBINATIONS (1U << PF_PYTHON_MAX_GROUPS)
#define NO_SLOT	       0xff

struct pattern {
	unsigned int group;
	char *module, *name;
	struct pattern *next;
};

struct function {
	unsigned int slot;
	enum function_kind kind;
	char *name, *module;
};

static struct {
	unsigned int n_groups;
	unsigned char slots[N_COMBINATIONS]; /* or NO_SLOT */
	struct pattern *patterns;
} selection;

static void forget_patterns(void)
{
	struct pattern *pattern;

	while ((pattern = selection.patterns)) {
		selection.patterns = pattern->next;
		free(pattern->module);
		free(pattern->name);
		free(pattern);
	}
	selection.n_groups = 0;
}

/* "1 " table, as one line. A table of 2^n letters is for n groups. */
static int read_head(const char *head, size_t size)
{
	unsigned int n = 0;

	if (size < 2 || memcmp(head, "1 ", 2) != 0)
		return -EINVAL;
	head += 2;
	size -= 2;
	while (n < PF_PYTHON_MAX_GROUPS && 1U << n < size)
		n++;
	if (1U << n != size)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		if (head[i] != '-' && (head[i] < 'a' || head[i] >= 'a' + PF_PYTHON_MAX_SLOTS))
			return -EINVAL;
		selection.slots[i] = head[i] == '-' ? NO_SLOT : (unsigned char)(head[i] - 'a');
	}
	selection.n_groups = n;
	return 0;
}

/* group " " module " " name, in a copy of its own that is cut up. */
static int read_pattern(char *line)
{
	char *rest = line, *group = strsep(&rest, " "), *module = strsep(&rest, " "), *end;
	struct pattern *pattern;
	unsigned long number = strtoul(group, &end, 10);

	if (!isdigit((unsigned char)*group) || *end || number >= selection.n_groups || !module ||
	    !*module || !rest || !*rest || strchr(rest, ' '))
		return -EINVAL;
	pattern = calloc(1, sizeof(*pattern));
	if (!pattern)
		return -ENOMEM;
	pattern->group = (unsigned int)number;
	pattern->module = strdup(module);
	pattern->name = strdup(rest);
	pattern->next = selection.patterns;
	selection.patterns = pattern;
	return pattern->module && pattern->name ? 0 : -ENOMEM;
}

static int read_patterns(const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		if (*line)
			r = read_pattern(line);
	}
	free(copy);
	return r;
}

EXPORT int perfflow_select(const char *text)
{
	size_t size = strcspn(text, "\n");
	int r;

	forget_patterns();
	r = read_head(text, size);
	if (r == 0)
		r = read_patterns(text + size);
	if (r < 0)
		forget_patterns();
	return r;
}

/* "<module>", "f.<locals>.<listcomp>", but no lambda: that is written as a function. */
static bool is_implicit(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	return last[0] == '<' && strcmp(last, "<lambda>") != 0;
}

static bool is_selected(const struct pattern *pattern, const char *module, const char *also,
			const char *name)
{
	if (is_implicit(name) && !strchr(pattern->name, '<'))
		return false;
	if (fnmatch(pattern->name, name, 0) != 0)
		return false;
	return fnmatch(pattern->module, module, 0) == 0 ||
	       (also && fnmatch(pattern->module, also, 0) == 0);
}

EXPORT const struct function *perfflow_function(const char *module, const char *also,
						const char *name, unsigned int kind)
{
	struct function *function;
	unsigned int held = 0;

	for (const struct pattern *pattern = selection.patterns; pattern; pattern = pattern->next) {
		if (!(held & 1U << pattern->group) && is_selected(pattern, module, also, name))
			held |= 1U << pattern->group;
	}
	if (!held || selection.slots[held] == NO_SLOT)
		return NULL;
	function = calloc(1, sizeof(*function));
	if (!function)
		return NULL;
	function->slot = selection.slots[held];
	function->kind = kind;
	function->name = strdup(name);
	function->module = strdup(module);
	if (function->name && function->module)
		return function;
	free(function->name);
	free(function->module);
	free(function);
	return NULL;
}

bool function_is_plain(const struct function *function)
{
	return function->kind == FUNCTION_PLAIN;
}

static void tell(const struct function *function, enum pf_python_probe which, uint64_t number)
{
	slot_tell(function->slot, which, function->name, function->module, number);
}

EXPORT void perfflow_enter(const struct function *function, uint64_t number, bool is_first)
{
	if (is_first) {
		tell(function, PF_PYTHON_START, number);
		if (function->kind == FUNCTION_TASK)
			tell(function, PF_PYTHON_TASK_START, number);
	}
	tell(function, PF_PYTHON_ENTER, number);
}

EXPORT void perfflow_leave(const struct function *function, uint64_t number, enum departure how)
{
	tell(function, PF_PYTHON_LEAVE, number);
	if (how == DEPARTURE_WAIT)
		return;
	if (how == DEPARTURE_RETURN)
		tell(function, PF_PYTHON_RETURN, number);
	if (function->kind == FUNCTION_TASK)
		tell(function, PF_PYTHON_TASK_FINISH, number);
	tell(function, PF_PYTHON_FINISH, number);
}

/* Calls of a thread are inside of each other: their depth tells them apart. */
static __thread uint32_t depth;

static uint64_t own_number(void)
{
	return (uintptr_t)&depth + ((uint64_t)depth << 48);
}

EXPORT void perfflow_call(const struct function *function)
{
	depth++;
	perfflow_enter(function, own_number(), true);
}

EXPORT void perfflow_return(const struct function *function)
{
	perfflow_leave(function, own_number(), DEPARTURE_RETURN);
	depth--;
}

EXPORT void perfflow_raise(const struct function *function)
{
	perfflow_leave(function, own_number(), DEPARTURE_RAISE);
	depth--;
}
