/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/pfw_name.h - what PerfFlowAspect calls the file of a process, and the way down to its job */
#ifndef PERFFLOW_SINK_PFW_NAME_H
#define PERFFLOW_SINK_PFW_NAME_H

#include <stdint.h>

#include "sink/pfw_options.h"

#define PFW_NAME_BYTES                                                                             \
	200 /* a name that is longer is cut: file systems take 255, and more is added */

/*
 * "perfflow.array.HOST.PID", without the ".pfw" behind it. A '/' becomes '_': no part of it leads
 * to another folder. instance_path is as below, host may be "".
 */
int pfw_file_name(const struct pfw_options *options, const char *host, const char *instance_path,
		  uint32_t pid, struct text *ret_name);

/* Whether files of two processes differ in their names by that alone. */
bool pfw_name_has_pid(const struct pfw_options *options);

/*
 * The ids of the jobs around a process, the innermost last, with dots between: what came with the
 * environment in PERFFLOW_INSTANCE_PATH, and its own: that of Flux, Slurm or LSF. variable_fn
 * returns one of its variables, or NULL.
 */
typedef const char *(*pfw_variable_fn)(const void *opaque, const char *name);
int pfw_instance_path(pfw_variable_fn variable_fn, const void *opaque, struct text *ret_path);

#endif
