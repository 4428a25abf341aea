/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/view.h - how a process finds files: its root, working directory and environment, as binary/loader.h wants to know them */
#ifndef PERFFLOW_BINARY_VIEW_H
#define PERFFLOW_BINARY_VIEW_H

#include <sys/types.h>

#include "binary/loader.h"

struct view {
	struct loader_context context; /* what it points to is the view's */
	char root[64];
	char *directory, *path, *library_path, *preload;
};

/* pid 0: no process in particular, with the root that is ours and nothing set. What cannot be read is as if unset. */
void view_init(struct view *view, pid_t pid);
/* As the program will find them that the process is held at the door of: with its environment, where that can be read. */
void view_init_executed(struct view *view, pid_t pid);
void view_done(struct view *view);

#endif
