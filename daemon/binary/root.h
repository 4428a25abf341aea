/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* binary/root.h - files as a process with another root (chroot, container) finds them; for the rest of binary/ */
#ifndef PERFFLOW_BINARY_ROOT_H
#define PERFFLOW_BINARY_ROOT_H

#include <stddef.h>

/* In all of them root is "" for our own, else what stands before a path to open it: "/proc/PID/root". */

/* The path within the root without symbolic links, if all of it exists. */
int root_resolve(const char *root, const char *path, char **ret_path);

/* As others can open it: with the root before it; within another root also free of links. */
int root_path(const char *root, const char *path, char **ret_path);

/* Returns a descriptor of the caller's, or a negative errno. */
int root_open(const char *root, const char *path);

/* The start of a regular file, at most max bytes, and a '\0' behind it; freed by the caller. */
int root_read(const char *root, const char *path, size_t max, char **ret_data, size_t *ret_size);

#endif
