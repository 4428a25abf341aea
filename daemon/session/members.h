/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * session/members.h - the processes of a plain user's session: each gets probes of its own when it comes, and loses them when it
 * goes or is the user's no more
 */
#ifndef PERFFLOW_SESSION_MEMBERS_H
#define PERFFLOW_SESSION_MEMBERS_H

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "binary/process.h"
#include "probe/attach.h"
#include "session/privilege.h"
#include "util/cleanup.h"
#include "util/why.h"

struct members;

/* Takes a sentence for the user, about what the trace lacks. */
typedef void (*members_say_fn)(void *userdata, const char *sentence);

/* Takes a process whose calls since it was born may be missing: it has probes from now on. */
typedef void (*members_late_fn)(void *userdata, pid_t pid, uint64_t born_ns);

/* All are borrowed. What privilege->bytes allows is taken as the processes and their probes need it. */
int members_open(sd_event *loop, struct attach *attach, const struct privilege *privilege, members_say_fn say_fn,
		 members_late_fn late_fn, void *userdata, struct members **ret_members);
void members_close(struct members *members);
DEFINE_CLEANUP(struct members, members_close)

/*
 * Takes a process into the scope that was there before the session, and hands over its records (process_describe()), unless
 * it is about to execute another program (is_new). Whoever it was when they were made, it is the user's own after that, and if
 * not nothing was handed over: -EPERM with a sentence. -ESRCH: it is gone.
 */
int members_add(struct members *members, pid_t pid, bool is_new, process_record_fn record_fn, void *record_userdata,
		struct why *why);

/* Before and after something was woven: what is left of the user's memory may be used, and what is used is taken. */
void members_account(struct members *members);

/* Hears now of what has become of them, before something that depends on it. */
void members_update(struct members *members);

/*
 * A process waits to execute the file that is open: if that may give it other rights, it has no probes when it does. They come back
 * if it stays the user's own.
 */
void members_expect_exec(struct members *members, pid_t pid, int program_fd);

/* Says what was not said yet, at the end of the session. */
void members_conclude(struct members *members);

#endif
