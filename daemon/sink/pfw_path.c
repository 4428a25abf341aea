/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * PerfFlowAspect's runtime adds the id of a program's own job to PERFFLOW_INSTANCE_PATH in the
 * environment, so that what the program starts finds it there. Nothing of perfflow runs in the
 * program, so what the variable would be is worked out here: of each process is kept what it would
 * hand on, and who began with the same variable as the one that started it has got that. Who began
 * with another one was given it on purpose, or by perfflow's Python module, which does extend it.
 *
 * The same holds of a process that executes another program. A child that has not executed any is
 * its parent still.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/pfw_internal.h"
#include "sink/pfw_name.h"
#include "util/cleanup.h"

void pfw_path_done(struct pfw_path *path)
{
	free(path->began_with);
	free(path->own);
	free(path->handed_on);
	*path = (struct pfw_path){0};
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int copy_path(const struct pfw_path *from, struct pfw_path *to)
{
	int r;

	r = copy_text(from->began_with, &to->began_with);
	r = r ?: copy_text(from->own, &to->own);
	return r ?: copy_text(from->handed_on, &to->handed_on);
}

/* By the name of its file, or by the one that it was executed by, which may be a link. */
static bool is_woven(const struct pfw *pfw, const struct identity *identity)
{
	const char *slash = identity && identity->exe ? strrchr(identity->exe, '/') : NULL;

	if (!slash || !pfw->start.is_woven_fn)
		return false;
	return pfw->start.is_woven_fn(pfw->start.woven, slash + 1) ||
	       pfw->start.is_woven_fn(pfw->start.woven, identity->comm);
}

/* The environment of a program as PerfFlowAspect would have it. */
struct extended {
	const struct identity *identity;
	const char *path;
};

static const char *extended_variable(const void *opaque, const char *name)
{
	const struct extended *extended = opaque;

	if (strcmp(name, "PERFFLOW_INSTANCE_PATH") == 0)
		return extended->path;
	return extended->identity ? identity_environment(extended->identity, name) : NULL;
}

/* `before`: of the program that started this one, or NULL. */
static int begin_path(const struct pfw *pfw, const struct identity *identity,
		      const struct pfw_path *before, struct pfw_path *path)
{
	const char *began_with =
		identity ? identity_environment(identity, "PERFFLOW_INSTANCE_PATH") : NULL;
	struct extended extended = {.identity = identity, .path = began_with};
	struct text own = {0};
	int r;

	if (before && is_same(before->began_with, began_with))
		extended.path = before->handed_on;
	r = pfw_instance_path(extended_variable, &extended, &own);
	path->own = own.data;
	r = r ?: copy_text(began_with, &path->began_with);
	return r
		       ?: copy_text(is_woven(pfw, identity) ? path->own : extended.path,
				    &path->handed_on);
}

int pfw_path_set(struct pfw *pfw, struct pfw_process *process, const struct identity *identity)
{
	const struct pfw_process *parent =
		identity ? hash_find(&pfw->processes, identity->ppid) : NULL;
	struct pfw_path path = {.generation = identity ? identity->generation : 0};
	bool is_program = process->path.generation || !parent || !parent->path.generation;
	int r;

	if (process->path.own && process->path.generation == path.generation)
		return 0;
	if (is_program || !is_same(identity_environment(identity, "PERFFLOW_INSTANCE_PATH"),
				   parent->path.began_with))
		r = begin_path(pfw, identity, process->path.generation ? &process->path : NULL,
			       &path);
	else
		r = copy_path(&parent->path, &path);
	if (r < 0) {
		pfw_path_done(&path);
		return r;
	}
	pfw_path_done(&process->path);
	process->path = path;
	return 0;
}
