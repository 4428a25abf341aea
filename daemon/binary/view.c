/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "binary/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "binary/execution.h"
#include "binary/process.h"
#include "util/reach.h"

static bool has_our_root(pid_t pid)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return stat("/", &ours) == 0 && reach_stat(path, &its) == 0 && ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

void view_init(struct view *view, pid_t pid)
{
	*view = (struct view){};
	if (pid && !has_our_root(pid))
		snprintf(view->root, sizeof(view->root), "/proc/%d/root", pid);
	if (pid) {
		process_directory(pid, &view->directory);
		process_environment(pid, "PATH", &view->path);
		process_environment(pid, "LD_LIBRARY_PATH", &view->library_path);
		process_environment(pid, "LD_PRELOAD", &view->preload);
	}
	view->context = (struct loader_context){
		.root = view->root,
		.directory = view->directory ?: "/",
		.path = view->path,
		.library_path = view->library_path,
		.preload = view->preload,
	};
}

void view_init_executed(struct view *view, pid_t pid)
{
	static const char *const names[] = { "LD_LIBRARY_PATH", "LD_PRELOAD" };
	char *values[ARRAY_SIZE(names)];

	view_init(view, pid);
	if (execution_environment(pid, names, values, ARRAY_SIZE(names)) < 0)
		return;
	free(view->library_path);
	free(view->preload);
	view->context.library_path = view->library_path = values[0];
	view->context.preload = view->preload = values[1];
}

void view_done(struct view *view)
{
	free(view->directory);
	free(view->path);
	free(view->library_path);
	free(view->preload);
}
