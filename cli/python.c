/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * python.c - what Python programs need to tell of themselves
 *
 * The package of PerfFlowAspect's name is put on their path, so that a program with its decorators
 * is traced as it is; and for py() a sitecustomize in front of it, which each interpreter imports.
 */
#include "python.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/python.h"
#include "util/cleanup.h"

#define LIBRARY "perfflowaspect/" PF_PYTHON_LIBRARY

/* The folder with all of it: beside us as it was built or installed, or where it was to be installed. */
static char *find_folder(void)
{
	static const char *const beside[] = {"python", "../share/perfflow/python"};
	char own[PATH_MAX], path[PATH_MAX + 128];
	ssize_t n;

	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	own[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(beside); i++) {
		snprintf(path, sizeof(path), "%.*s%s/" LIBRARY,
			 (int)(strrchr(own, '/') + 1 - own), own, beside[i]);
		if (access(path, R_OK) < 0)
			continue;
		path[strlen(path) - strlen("/" LIBRARY)] = '\0';
		return realpath(path, NULL);
	}
	return access(PERFFLOW_PYTHON_PATH "/" LIBRARY, R_OK) == 0 ? strdup(PERFFLOW_PYTHON_PATH)
								    : NULL;
}

char *python_library(void)
{
	_cleanup_free_ char *folder = find_folder();
	char *path;

	return folder && asprintf(&path, "%s/" LIBRARY, folder) >= 0 ? path : NULL;
}

struct parsed {
	struct aspect **aspects;
	size_t n_aspects;
	struct pointcut_atoms atoms;
};

static void parsed_done(struct parsed *parsed)
{
	for (size_t i = 0; i < parsed->n_aspects; i++)
		aspect_free(parsed->aspects[i]);
	free(parsed->aspects);
}

/* Returns 0, or a negative errno: also where an aspect is malformed. */
static int parse(const struct strings *aspects, struct parsed *parsed)
{
	struct why ignored = {0};
	int r = 0;

	parsed->aspects = calloc(aspects->n_items + 1, sizeof(struct aspect *));
	if (!parsed->aspects)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < aspects->n_items; i++) {
		r = aspect_parse(aspects->items[i], &parsed->aspects[i], NULL, &ignored);
		if (r < 0)
			break;
		parsed->n_aspects++;
		r = python_check(parsed->aspects[i], &ignored);
		r = r ?: pointcut_atoms_add(&parsed->atoms, parsed->aspects[i]->pointcut, &ignored);
	}
	return r;
}

/* Whether anything is to be told of at all. */
static bool wants_announcements(const struct parsed *parsed)
{
	for (size_t i = 0; i < parsed->n_aspects; i++) {
		if (pointcut_wants_static_probes(parsed->aspects[i]->pointcut))
			return true;
	}
	return parsed->n_aspects == 0;
}

static int make_path(const char *folder, bool with_hook, char **ret_path)
{
	const char *old = getenv("PYTHONPATH");
	_cleanup_(text_done) struct text path = {0};
	int r = 0;

	if (with_hook)
		r = text_printf(&path, "%s/hook:", folder);
	r = r ?: text_printf(&path, "%s", folder);
	if (r == 0 && old && *old) /* an empty part would be the working directory */
		r = text_printf(&path, ":%s", old);
	*ret_path = r < 0 ? NULL : take_ptr(path.data);
	return r;
}

static int make_patterns(const struct parsed *parsed, char **ret_patterns)
{
	_cleanup_(python_plan_done) struct python_plan plan = {0};
	_cleanup_(text_done) struct text text = {0};
	struct why ignored = {0};
	int r;

	r = python_plan_make((const struct aspect *const *)parsed->aspects, parsed->n_aspects,
			     &parsed->atoms, &plan, &ignored);
	if (r < 0 || plan.n_slots == 0)
		return r;
	r = python_plan_print(&plan, &text);
	if (r == 0)
		*ret_patterns = take_ptr(text.data);
	return r;
}

int python_environment_make(const struct strings *aspects, struct python_environment *ret_environment,
			    struct why *why)
{
	_cleanup_(python_environment_done) struct python_environment environment = {0};
	_cleanup_(parsed_done) struct parsed parsed = {0};
	_cleanup_free_ char *folder = find_folder();
	int r;

	r = parse(aspects, &parsed);
	r = r ?: make_patterns(&parsed, &environment.patterns);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (environment.patterns && getenv(PF_PYTHON_VARIABLE))
		return why_say(why, -EINVAL,
			       "this runs in a 'perfflow run' that has py() already, and only one of "
			       "them can have it");
	if (environment.patterns && !folder)
		return why_say(why, -ENOENT,
			       "py() needs '" LIBRARY "', which is neither beside perfflow nor in "
			       "'" PERFFLOW_PYTHON_PATH "'");
	if (folder && wants_announcements(&parsed))
		r = make_path(folder, environment.patterns, &environment.path);
	if (r < 0)
		return r;
	*ret_environment = environment;
	environment = (struct python_environment){0};
	return 0;
}

void python_environment_done(struct python_environment *environment)
{
	free(environment->patterns);
	free(environment->path);
}

int python_environment_apply(const struct python_environment *environment)
{
	if (environment->patterns && setenv(PF_PYTHON_VARIABLE, environment->patterns, 1) < 0)
		return -errno;
	if (environment->path && setenv("PYTHONPATH", environment->path, 1) < 0)
		return -errno;
	return 0;
}
