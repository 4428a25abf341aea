/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/weave.h - which binaries a session's pointcuts concern, and weaving them, each once
 *
 * Which files these are is for weave_search.h to find, and what came of it for weave_report.h to say. More can be woven at any
 * time while the session runs.
 */
#ifndef PERFFLOW_SESSION_WEAVE_H
#define PERFFLOW_SESSION_WEAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inspect/inspector.h"
#include "probe/attach.h"
#include "probe/capture.h"
#include "probe/cost.h"
#include "session/labels.h"
#include "session/quota.h"
#include "session/session.h"
#include "util/hash.h"

struct weave {
	struct attach *attach; /* borrowed; set before the first file is woven */
	struct cost_table *costs; /* the same: notes what is woven */
	const struct rights *rights; /* borrowed: files that are not theirs to read are not there; NULL: all are woven */
	struct quota *functions;     /* borrowed: those that the user may trace in all sessions, or NULL */
	uint64_t n_taken;	     /* of them */
	struct strings unreadable;   /* a few of the files that the user could reach and may not read */
	struct labels *labels; /* borrowed */
	struct plan plan;
	struct inspector *inspector; /* borrowed: reads the files */
	const char *distrust; /* why no return probe is safe in the processes of the session, or NULL; see struct binary */
	const char *library_distrust; /* why in none of their libraries */
	struct python_label {
		uint32_t label;
		size_t aspect;
	} *python_labels; /* of what tells of Python functions */
	size_t n_python_labels;
	char *python_library; /* that an interpreter will load, until one was seen; or NULL */
	size_t followed[PF_MAX_ATOMS]; /* of each that is a cflow(): the functions that set it */
	size_t *matched; /* functions that each of them selected */
	struct hash trusted; /* those that have return probes: a set of the same kind */
	struct hash seen; /* files that were looked at: a set, by a hash of dev and ino */
	struct why refusal; /* why the first file that was not understood was not */
	struct strings paths; /* of those, for the search of near names */
	uint64_t n_binaries;  /* in which something was woven */
	uint32_t n_under_way; /* functions that have labels, and no probes yet */
	struct capture_report *reports; /* of each aspect: what could not be captured */
	size_t n_rejected;    /* functions that are selected and cannot be probed, or not as they have to be, */
	struct why rejection; /* and why the first one is among them */
	size_t n_overruled;   /* functions at which an aspect does not record what it would: an earlier one decides */
	bool has_exit_sites;  /* some function's return is seen by exit sites, so an exception may pass it */
	uint32_t told_numbers; /* of the functions that PerfFlowAspect's runtime is told of: the first; 0: none are woven */
	struct strings unwinders; /* files with an unwinder, whose landings are not probed yet */
};

/* Parses the aspects, and the expression about processes (or NULL). On failure says which. */
int weave_init(struct weave *weave, struct labels *labels, const struct strings *aspects, const char *processes,
	       enum site_mode returns, struct session_failure *failure);
void weave_done(struct weave *weave);

/* For a plain user: of files those that the user may read, of functions as many as are left. After weave_init(). */
void weave_restrict(struct weave *weave, const struct rights *rights, struct quota *functions);

/* Whether any function will have more to it than a plain span. */
bool weave_has_advices(const struct weave *weave);

/* Whether spans and marks will carry more than times. */
bool weave_has_items(const struct weave *weave);

/* Weaves what there is to weave in the file at path; one that was looked at, or is no ELF file, is passed over. */
int weave_file(struct weave *weave, const char *path, struct why *why);

/*
 * The library by which Python programs tell of their functions, as pid (0: this process) has it: it is woven with the first
 * interpreter, since that will load it.
 */
int weave_expect_python(struct weave *weave, pid_t pid, const char *path);

/* Whether a file was looked at before. */
bool weave_has_seen(const struct weave *weave, dev_t dev, ino_t ino);

/* Whether it has return probes. */
bool weave_has_return_probes(const struct weave *weave, dev_t dev, ino_t ino);

/* All files that any process of the machine has mapped executable. */
int weave_all_processes(struct weave *weave, struct why *why);

/* Each of the files, stopping at the first failure. */
int weave_files(struct weave *weave, const struct strings *paths, struct why *why);

/*
 * For processes that run already: they have not been told which Python functions are selected, so their interpreters are to tell
 * of all. Before anything is woven.
 */
int weave_ask_interpreters(struct weave *weave, struct session_failure *failure);

#endif
