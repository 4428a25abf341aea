/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A library that a pointcut names is woven wherever the loader would find it, even if nothing is known to load it: a launcher
 * starts programs that nobody named, and a uprobe belongs to the file, not to a process. Words of the command that are
 * programs (`mpirun -n 2 lmp`) are looked into as well, for the same reason.
 */
#include "session/weave_search.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "binary/loader.h"
#include "binary/process.h"
#include "binary/rights.h"
#include "binary/root.h"
#include "binary/view.h"
#include "probe/attach_scope.h"

#define MAX_WORDS 256

/* How a process finds files, which the inspector reads. */
static void open_view(const struct weave *weave, pid_t pid, bool is_executed, struct view *ret_view)
{
	if (is_executed)
		view_init_executed(ret_view, pid);
	else
		view_init(ret_view, pid);
	ret_view->context.open_fn = inspector_open;
	ret_view->context.open_userdata = weave->inspector;
	ret_view->context.rights = weave->rights;
}

int weave_search_named(const struct weave *weave, pid_t pid, struct strings *paths)
{
	_cleanup_(strings_done) struct strings globs = { 0 };
	_cleanup_(view_done) struct view view;
	int r = 0;

	open_view(weave, pid, false, &view);
	for (size_t i = 0; i < weave->plan.n_aspects && r >= 0; i++)
		r = pointcut_modules(weave->plan.aspects[i]->pointcut, &globs);
	return r < 0 ? r : loader_find_named(&view.context, &globs, paths);
}

/* A word that is no program is nothing to us. */
static int search_word(const struct loader_context *context, const char *word, struct strings *paths)
{
	_cleanup_free_ char *program = NULL;
	struct why ignored = { 0 };
	int r;

	if (loader_find_program(context, word, &program) < 0)
		return 0;
	r = loader_closure(context, program, paths, &ignored);
	return r == -ENOMEM ? r : 0;
}

/* The words of an argument: `sh -c "./solver input"` names a program too. */
static int search_words(const struct loader_context *context, const char *argument, struct strings *paths)
{
	_cleanup_free_ char *words = strdup(argument);
	char *word, *rest = words;
	int r = 0;

	if (!words)
		return -ENOMEM;
	for (int i = 0; i < MAX_WORDS && r >= 0 && (word = strsep(&rest, " \t\n;&|()")); i++)
		if (*word && *word != '-')
			r = search_word(context, word, paths);
	return r;
}

/* Of what is the user's to read: of all else it is told that it is not. The kernel ignores such rights of a script. */
static int check_program(const struct loader_context *context, const char *program, const char *word, struct why *why)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (!context->rights || loader_is_script(context, program) == 1)
		return 0;
	fd = root_open(context->root, program);
	if (fd >= 0 && root_path(context->root, program, &path) == -ENOMEM)
		return -ENOMEM;
	if (!path || rights_check_file(context->rights, fd, path) < 0 || rights_check_program(context->rights, fd) != -EPERM)
		return 0;
	return why_say(why, -EPERM,
		       "the command '%s' is made to run with other rights than yours (set-uid, set-gid or capabilities): it is not yours to "
		       "trace",
		       word);
}

static int search_command(const struct loader_context *context, const struct strings *command, struct strings *paths,
			  bool *ret_may_run_others, struct why *why)
{
	_cleanup_free_ char *program = NULL;
	int r;

	r = loader_find_program(context, command->items[0], &program);
	if (r == -ETIMEDOUT)
		return why_say(why, r, "cannot look for the command '%s': its file system does not answer", command->items[0]);
	if (r < 0 && context->rights)
		return why_say(why, -ENOENT, "the command '%s' is not there, or not yours to read", command->items[0]);
	if (r < 0)
		return why_set(why, r, "cannot find the command '%s'", command->items[0]);
	r = check_program(context, program, command->items[0], why);
	if (r < 0)
		return r;
	*ret_may_run_others = loader_is_script(context, program) == 1;
	r = loader_closure(context, program, paths, why);
	if (r >= 0 && !paths->n_items) { /* what is wrong with it will be said when it is opened */
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", context->root, program);
		r = strings_add(paths, path);
	}
	for (size_t i = 1; i < command->n_items && i < MAX_WORDS && r >= 0; i++)
		r = search_words(context, command->items[i], paths);
	return r;
}

/* Whose files are the session's business. */
static bool is_wanted_process(const struct weave *weave, pid_t pid)
{
	return !weave->rights || attach_has_process(weave->attach, pid);
}

static int search_running(const struct weave *weave, pid_t pid, struct strings *paths, struct why *why)
{
	_cleanup_free_ pid_t *descendants = NULL;
	size_t n = 0;
	int r;

	r = process_files(pid, paths, why);
	if (r < 0)
		return r;
	r = process_descendants(pid, &descendants, &n);
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct why ignored = { 0 };

		if (is_wanted_process(weave, descendants[i]) && process_files(descendants[i], paths, &ignored) == -ENOMEM)
			r = -ENOMEM;
	}
	return r;
}

int weave_search_process(const struct weave *weave, pid_t pid, const struct strings *command, struct strings *paths, bool *ret_may_run_others,
			 struct why *why)
{
	_cleanup_(view_done) struct view view = { 0 };

	*ret_may_run_others = false;
	if (!command)
		return search_running(weave, pid, paths, why);
	open_view(weave, pid, false, &view);
	return search_command(&view.context, command, paths, ret_may_run_others, why);
}

static int search_program(const struct weave *weave, pid_t pid, bool is_executed, const char *path, struct strings *paths,
			  struct why *why)
{
	_cleanup_(view_done) struct view view;

	open_view(weave, pid, is_executed, &view);
	return loader_closure(&view.context, path, paths, why);
}

int weave_search_program(const struct weave *weave, pid_t pid, const char *path, struct strings *paths, struct why *why)
{
	return search_program(weave, pid, false, path, paths, why);
}

int weave_search_executed(const struct weave *weave, pid_t pid, const char *path, struct strings *paths, struct why *why)
{
	return search_program(weave, pid, true, path, paths, why);
}

bool weave_search_sets_preload(const struct strings *command)
{
	for (size_t i = 1; i < command->n_items; i++)
		if (strstr(command->items[i], "LD_PRELOAD"))
			return true;
	return false;
}
