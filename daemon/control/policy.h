/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/policy.h - who may do what, as the site's configuration file says
 *
 *     [access]
 *     group = perfflow          whose members may do what root may; empty: nobody's
 *     allow_users = no          whether others may trace processes that are their own
 *
 *     [limits]
 *     sessions = 64             that run at once
 *     sessions_per_user = 16    of those, of each user but root
 *
 * and of each user whom allow_users lets in, neither root nor of the group:
 *
 *     functions_per_user = 2000      that are woven at once, in all sessions
 *     memory_per_user = 128M         of the kernel's, for all sessions
 *     records_per_second = 200000    that all sessions may send; more are counted and lost
 *
 *     [overhead]
 *     budget_per_user = 5%           of a thread's time that tracing may take, where a user does not say it
 *     max_budget_per_user = 10%      that a user may say; without it any
 */
#ifndef PERFFLOW_CONTROL_POLICY_H
#define PERFFLOW_CONTROL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/why.h"

#define POLICY_MAX_SESSIONS 64
#define POLICY_SPARE_CONNECTIONS 16 /* to ask, beside those that wait for the end of a session */
/* How many there may be when another comes: of all; of one for a member of the group; and for anybody else. */
#define POLICY_MAX_CONNECTIONS	      (POLICY_MAX_GROUP_CONNECTIONS + POLICY_MAX_SESSIONS + POLICY_SPARE_CONNECTIONS)
#define POLICY_MAX_GROUP_CONNECTIONS  (POLICY_MAX_OTHERS_CONNECTIONS + POLICY_MAX_SESSIONS + POLICY_SPARE_CONNECTIONS)
#define POLICY_MAX_OTHERS_CONNECTIONS 256
#define POLICY_MAX_READ_S   3600
#define POLICY_DEFAULT_PATH "/etc/perfflow/perfflowd.conf"

struct policy {
	char group[64]; /* or "" */
	bool allow_users;
	unsigned int n_sessions, n_user_sessions;
	unsigned int read_s; /* how long the reading of one binary may take */
	unsigned int user_read_s; /* and of all those that are read for a plain user, in a minute */
	uint64_t n_user_functions, n_user_bytes, n_records_per_s; /* of plain users */
	/* thousandths of a thread's time that tracing may take, for others than root and the group; 0: all of it */
	unsigned int user_budget, max_user_budget;
};

void policy_init(struct policy *policy); /* as without a file */

/*
 * Reads the text of a file; name is for the sentence, which says the line. -EINVAL: what is no
 * setting, is set twice, or has a value that it cannot have. The policy is written on success only.
 */
int policy_parse(const char *name, const char *text, size_t size, struct policy *ret_policy,
		 struct why *why);

/*
 * Reads a file; one that others than its owner may write, or whose owner is neither root nor this
 * process, is refused
 * (-EPERM). Where it may be missing and is, the policy is that without a file.
 */
int policy_load(const char *path, bool may_be_missing, struct policy *ret_policy, struct why *why);

/* A client, as the kernel knows it from its socket. */
struct policy_client {
	uid_t uid;
	const gid_t *groups; /* its own and those beside */
	size_t n_groups;
};

/* Whether root, or of the group: nothing is kept from it. */
bool policy_trusts(const struct policy *policy, const struct policy_client *client);

/* What a client wants to trace. */
struct policy_wish {
	pid_t pid; /* or 0: not one process and its descendants */
};

/*
 * -EPERM with a sentence: it is not trusted, or may not have what it wishes. Whose the process is, and what else a session of
 * a plain user may not show, is for session_start() to see: session/privilege.h.
 */
int policy_check_client(const struct policy *policy, const struct policy_client *client,
			struct why *why);
int policy_check_wish(const struct policy *policy, const struct policy_client *client,
		      const struct policy_wish *wish, struct why *why);

/*
 * -EUSERS with a sentence: there is no room for another connection of that client, beside n_all and n_own of its user. The
 * last ones are kept for those whom the policy trusts, and the very last for root, each enough for all sessions that there may be.
 */
int policy_check_connections(const struct policy *policy, const struct policy_client *client, size_t n_all, size_t n_own,
			     struct why *why);

/*
 * Which overhead budget a session gets, in thousandths: what was wished for (-1: nothing, 0: none), as far as the policy has
 * a say in it. -EUSERS with a sentence: more than may be.
 */
int policy_choose_budget(const struct policy *policy, bool is_trusted, int64_t wished, unsigned int *ret_permille,
			 struct why *why);

/* "5%", "0.5%": from 0.1 to 100 percent. 0 or -EINVAL. */
int policy_parse_percent(const char *text, unsigned int *ret_permille);

/* -EUSERS with a sentence: it runs as many sessions as it may, of n_all that run at all and n_own
 * of its user. */
int policy_check_sessions(const struct policy *policy, uid_t uid, size_t n_all, size_t n_own,
			  struct why *why);

#endif
