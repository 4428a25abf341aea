/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/weave_search.h - which files a process, a program or a pointcut brings with it, for weaving
 *
 * Before a program runs, what it will be made of is worked out as the dynamic linker would; of one that runs, /proc tells.
 */
#ifndef PERFFLOW_SESSION_WEAVE_SEARCH_H
#define PERFFLOW_SESSION_WEAVE_SEARCH_H

#include "session/weave.h"

/*
 * Collects the files that a process is made of and will be: what it and its descendants have mapped; or what `command`,
 * which it is about to execute, names. *ret_may_run_others tells that the command is a script, which may run anything.
 */
int weave_search_process(const struct weave *weave, pid_t pid, const struct strings *command, struct strings *paths, bool *ret_may_run_others,
			 struct why *why);

/* The file, and if it is a program all that it would load, as pid (0: this process) would find it. */
int weave_search_program(const struct weave *weave, pid_t pid, const char *path, struct strings *paths, struct why *why);

/* The same of a program that pid is held at the door of, with the environment that it will have. */
int weave_search_executed(const struct weave *weave, pid_t pid, const char *path, struct strings *paths, struct why *why);

/* Whether a word of the command makes programs load what nobody else knows of. */
bool weave_search_sets_preload(const struct strings *command);

/* Libraries and programs that the pointcuts name, wherever pid (0: this process) would find them. */
int weave_search_named(const struct weave *weave, pid_t pid, struct strings *paths);

#endif
