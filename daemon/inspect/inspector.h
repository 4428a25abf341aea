/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * inspect/inspector.h - the daemon's side of an inspector: another process reads ELF and DWARF, which may crash or hang
 *
 * It is started when it is first needed, and again after it failed. All calls return INSPECTOR_FAILED, with a sentence that
 * names the file, where it crashed, took too long or talked nonsense. One thread at a time.
 */
#ifndef PERFFLOW_INSPECT_INSPECTOR_H
#define PERFFLOW_INSPECT_INSPECTOR_H

#include <errno.h>

#include "binary/binary.h"
#include "binary/rights.h"
#include "inspect/allowance.h"
#include "inspect/found.h"
#include "inspect/functions.h"
#include "inspect/match.h"

#define INSPECTOR_FAILED      (-EREMOTEIO)
#define INSPECTOR_LIMIT_S     60
#define INSPECTOR_MAX_FAILURES 8 /* then nothing is read any more */

struct inspector;

struct inspector_config {
	const char *program; /* is executed as the inspector; NULL: the one that runs */
	unsigned int limit_s; /* for one answer; 0: INSPECTOR_LIMIT_S */
	struct allowance *allowance; /* for all of them, borrowed; NULL: no limit */
	int stop_fd;	      /* whoever waits gives up with -ECANCELED when it can be read; or -1 */
	/* Are called before and after an answer is waited for, or NULL: others may run meanwhile. */
	void (*pause)(void), (*resume)(void);
	struct strings *warnings; /* to which a sentence is added for each failure, or NULL */
	const struct rights *rights; /* borrowed: whose the files that are opened here have to be to read; NULL: all are read */
};

int inspector_new(const struct inspector_config *config, struct inspector **ret_inspector);
void inspector_free(struct inspector *inspector);
DEFINE_CLEANUP(struct inspector, inspector_free)

/* Of what the plan will be made; before matching. scope may be NULL. */
int inspector_plan(struct inspector *inspector, const struct strings *aspects, const char *scope, enum site_mode returns,
		   bool by_interpreter, bool with_units);

/* As binary_open(); what the daemon gets can be attached to, and has no `elf` and no segments. userdata: the inspector. */
int inspector_open(void *userdata, const char *path, struct binary **ret_binary, struct why *why);

/* For whom that is known later: before the first file. */
void inspector_restrict(struct inspector *inspector, const struct rights *rights);

/* The same of a file that the caller has opened, checked and keeps, without what is in it: it can be handed on. */
int inspector_adopt(struct inspector *inspector, int fd, const char *path, struct binary **ret_binary);

/* What the first failure was, or NULL. */
const char *inspector_failure(const struct inspector *inspector);

/* As site_distrust(): what it returns is the inspector's. */
const char *inspector_distrust(struct inspector *inspector, const struct strings *paths);
/* As site_distrust_libraries(). */
const char *inspector_distrust_libraries(struct inspector *inspector, const struct strings *paths, bool spares_others);

/* What the plan selects in the binary, as joinpoints_find() and advise() have it. */
int inspector_match(struct inspector *inspector, const struct binary *binary, struct found *found, struct why *why);

/* As match_landings(). */
int inspector_landings(struct inspector *inspector, const struct binary *binary,
		       uint64_t ret_offsets[MATCH_MAX_LANDINGS], size_t *ret_n, struct why *why);

/* Adds what comes nearest to a pointcut in those files; those that cannot be read are passed over. */
int inspector_candidates(struct inspector *inspector, const struct pointcut *pointcut, const struct strings *paths,
			 struct strings *list);

/* As functions_read(). */
int inspector_functions(struct inspector *inspector, const struct binary *binary, size_t max_bytes,
			struct functions *ret_functions, struct why *why);

#endif
