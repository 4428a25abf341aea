/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/weave.h - which binaries a session's pointcuts concern, and weaving them, each once
 *
 * Before a program runs, what it will be made of is worked out as the dynamic linker would; of one that runs, /proc tells.
 * More can be woven at any time while the session runs.
 */
#ifndef PERFFLOW_SESSION_WEAVE_H
#define PERFFLOW_SESSION_WEAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/attach.h"
#include "session/labels.h"
#include "session/session.h"
#include "util/hash.h"

struct weave {
	struct attach *attach; /* borrowed; set before the first file is woven */
	struct labels *labels; /* borrowed */
	struct aspect **aspects;
	size_t n_aspects;
	const char *distrust; /* why no return probe is safe in the processes of the session, or NULL; see struct binary */
	enum site_mode returns; /* of aspects that do not say it themselves */
	size_t *matched; /* functions that each of them selected */
	struct hash seen; /* files that were looked at: a set, by a hash of dev and ino */
	struct why refusal; /* why the first file that was not understood was not */
	struct strings paths; /* of those, for the search of near names */
	uint64_t n_binaries;  /* in which something was woven */
	bool has_unfiltered; /* functions of a library, woven for an aspect with exe(): they are seen in every program */
	bool has_exit_sites;  /* some function's return is seen by exit sites, so an exception may pass it */
	struct strings unwinders; /* files with an unwinder, whose landings are not probed yet */
};

/* Parses the aspects. On failure says which. */
int weave_init(struct weave *weave, struct labels *labels, const struct strings *aspects, enum site_mode returns,
	       struct session_failure *failure);
void weave_done(struct weave *weave);

/* Weaves what there is to weave in the file at path; one that was looked at, or is no ELF file, is passed over. */
int weave_file(struct weave *weave, const char *path, struct why *why);

/* Whether a file was looked at before. */
bool weave_has_seen(const struct weave *weave, dev_t dev, ino_t ino);

/* All files that any process of the machine has mapped executable. */
int weave_all_processes(struct weave *weave, struct why *why);

/* Each of the files, stopping at the first failure. */
int weave_files(struct weave *weave, const struct strings *paths, struct why *why);

/*
 * Collects the files that a process is made of and will be: what it and its descendants have mapped; or what `command`,
 * which it is about to execute, names. *ret_may_run_others tells that the command is a script, which may run anything.
 */
int weave_search_process(pid_t pid, const struct strings *command, struct strings *paths, bool *ret_may_run_others,
			 struct why *why);

/* The file, and if it is a program all that it would load, as pid (0: this process) would find it. */
int weave_search_program(pid_t pid, const char *path, struct strings *paths, struct why *why);

/* Libraries and programs that the pointcuts name, wherever pid (0: this process) would find them. */
int weave_search_named(const struct weave *weave, pid_t pid, struct strings *paths);

/* Finds what comes nearest to a pointcut in the files that were looked at. */
int weave_candidates(const struct weave *weave, size_t pointcut, struct strings *candidates);

#endif
