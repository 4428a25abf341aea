/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/privilege.h - what a session may see that was started by a plain user: processes that are this user's own, and of
 * files what the user may read
 *
 * A process is one's own if the kernel would let one look into it with ptrace: all its ids are the user's, it has no
 * capability, and has executed nothing that gave it rights or that the user may not read.
 */
#ifndef PERFFLOW_SESSION_PRIVILEGE_H
#define PERFFLOW_SESSION_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "binary/rights.h"
#include "inspect/allowance.h"
#include "probe/metrics.h"
#include "session/quota.h"
#include "util/why.h"

/* Borrowed by the session, but for what rights point to, which it copies. */
struct privilege {
	struct rights rights;
	struct quota *functions, *bytes; /* of the user, or NULL: no limit; they outlive the session */
	struct allowance *reading;	 /* the same */
	uint64_t max_records_per_s;	 /* of all sessions of the user; 0: no limit */
};

/*
 * Whether the process behind a pidfd is the user's own, by what /proc shows of its pid now. -EPERM with a sentence if not, and
 * also if there is none: whether there is, is not for everybody to know.
 */
int privilege_check_process(const struct rights *rights, pid_t pid, int pidfd, struct why *why);

/* -EPERM with a sentence: what spans are to carry shows what others do. */
int privilege_check_metrics(const struct metrics *metrics, struct why *why);

/*
 * What a plain user cannot have at all as a scope; of the rest each is looked at where it is used. -EPERM with a sentence, or
 * -EOPNOTSUPP: this kernel cannot limit probes to processes. pid 0: it is not a process.
 */
int privilege_check_scope(const struct rights *rights, pid_t pid, bool with_sched, struct why *why);

#endif
