/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Processes that were there before the session are put into its scope one by one, and told of; those that they start later come
 * into it by themselves.
 */
#include "session/session_internal.h"

#include <errno.h>
#include <sys/pidfd.h>

#include "binary/process.h"
#include "probe/attach_scope.h"

int session_check_scope(struct session *session, const struct session_config *config, struct binary **ret_program,
			struct session_failure *failure)
{
	int r;

	if (config->pid)
		r = process_check(config->pid, &failure->why);
	else if (!config->binary)
		return 0;
	else
		r = inspector_open(session->inspector, config->binary, ret_program, &failure->why);
	return r < 0 ? session_fail(failure, SESSION_FAULT_SCOPE, r) : 0;
}

static int feed(const void *record, size_t size, void *userdata)
{
	struct session *session = userdata;

	pipeline_feed(session->pipeline, 0, record, size);
	return 0;
}

/* The first record of a process that was there before the session has the time that the kernel side has to know it by. */
static int feed_first(const void *record, size_t size, void *userdata)
{
	const struct pf_process_seen *seen = record;
	struct session *session = userdata;

	if (seen->event.kind == PF_EVENT_PROCESS) {
		int r = attach_add_process(session->attach, seen->event.pid, seen->event.time_ns);

		if (r < 0)
			return r;
	}
	return feed(record, size, userdata);
}

static void say(void *userdata, const char *sentence)
{
	struct session *session = userdata;

	warnings_add(&session->warnings, "%s", sentence);
}

static void note_late(void *userdata, pid_t pid, uint64_t born_ns)
{
	struct session *session = userdata;

	late_note_process(&session->late, pid, born_ns);
}

int session_open_members(struct session *session)
{
	if (!session->is_restricted)
		return 0;
	return members_open(session->loop, session->attach, &session->privilege, say, note_late, session,
			    &session->members);
}

/* Takes a process into the scope that was there before the session, and tells the pipeline of it. */
static int introduce(struct session *session, pid_t pid, struct why *why)
{
	bool is_new = session->command.n_items && pid == session->pid;
	int r;

	if (session->members)
		return members_add(session->members, pid, is_new, feed, session, why);
	if (is_new)
		return attach_add_process(session->attach, pid, 0); /* it is told of when it executes the command */
	r = process_describe(pid, feed_first, session);
	return r == -ESRCH || r == -EEXIST ? 0 : r;
}

static int introduce_with_mappings(struct session *session, pid_t pid, struct why *why)
{
	bool is_new = session->command.n_items && pid == session->pid;
	int r = introduce(session, pid, why);

	return r >= 0 && session->symbolizer && !is_new ? symbolizer_add(session->symbolizer, pid) : r;
}

/* Of a plain user's process one may be another's by now: it ran a program that had the right to. */
static int introduce_descendant(struct session *session, pid_t pid)
{
	struct why why = { 0 };
	int r;

	if (attach_has_process(session->attach, pid))
		return 0;
	r = introduce_with_mappings(session, pid, &why);
	if (r != -EPERM && r != -ESRCH)
		return r;
	return r == -ESRCH ? 0 : warnings_add(&session->warnings, "it is left out: %s", why_text(&why, r));
}

/* The hooks are attached: children that are born from now on come into scope by themselves, so looking twice is enough. */
static int introduce_descendants(struct session *session)
{
	for (int look = 0; look < 2; look++) {
		_cleanup_free_ pid_t *descendants = NULL;
		size_t n = 0;
		int r = process_descendants(session->pid, &descendants, &n);

		for (size_t i = 0; i < n && r >= 0; i++)
			r = introduce_descendant(session, descendants[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int session_open_target(struct session *session, struct session_failure *failure)
{
	int r;

	if (!session->pid)
		return 0;
	session->target_fd = pidfd_open(session->pid, 0);
	if (session->target_fd < 0) {
		why_set(&failure->why, -errno, "cannot watch process %d", session->pid);
		return session_fail(failure, SESSION_FAULT_SCOPE, -errno);
	}
	r = introduce_with_mappings(session, session->pid, &failure->why);
	if (r == -EPERM || r == -ESRCH)
		return session_fail(failure, r == -EPERM ? SESSION_FAULT_PERMISSION : SESSION_FAULT_SCOPE, r);
	if (r >= 0)
		r = introduce_descendants(session);
	if (r == -EDQUOT)
		return session_fail(failure, SESSION_FAULT_LIMIT, r);
	if (r == -E2BIG)
		return session_fail(failure, SESSION_FAULT_LIMIT,
				    why_say(&failure->why, r, "more than %d processes are in scope", SESSION_MAX_PROCESSES));
	return r;
}
