/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * At first what is known of the programs is woven, and while the session runs what its processes come to execute and map, which
 * nobody could know: where it may be, before they go on.
 */
#include "session/session_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binary/execution.h"
#include "probe/attach_scope.h"
#include "session/weave_report.h"
#include "session/weave_search.h"
#include "util/now.h"
#include "util/reach.h"

#define GATE_REACH_S 1 /* the gate holds nobody for longer than twice that */

int session_cannot_watch(int r, struct why *why)
{
	if (r == -EACCES || r == -EPERM)
		return why_say(why, r, "no rights to watch what processes execute and map: where kernel.perf_event_paranoid is above 2, "
			       "this kernel wants CAP_SYS_ADMIN for that, or 'sysctl kernel.perf_event_paranoid=2'");
	return why_set(why, r, "cannot watch what processes execute and map");
}

/* Where it is not known which programs there will be, or they may be any. */
static void distrust_the_unknown(struct session *session, const struct binary *binary, bool may_run_others)
{
	if (may_run_others)
		session->weave.distrust = "the script may start programs that unwind their stacks";
	else if (weave_search_sets_preload(&session->command))
		session->weave.distrust = "the command sets LD_PRELOAD, and what that loads may unwind the program's stack";
	else if (!session->pid && !(binary && binary->is_program))
		session->weave.distrust = SITE_DISTRUST_LIBRARY;
}

int session_weave(struct session *session, const struct binary *program, const char *python,
		  struct session_failure *failure)
{
	_cleanup_(strings_done) struct strings paths = { 0 };
	bool may_run_others = false;
	int r = 0;

	if (session->pid)
		r = weave_search_process(&session->weave, session->pid, session->command.n_items ? &session->command : NULL, &paths,
					 &may_run_others, &failure->why);
	else if (program)
		r = weave_search_program(&session->weave, 0, program->path, &paths, &failure->why);
	if (r < 0)
		return session_fail(failure, r == -EPERM && session->is_restricted ? SESSION_FAULT_PERMISSION : SESSION_FAULT_SCOPE, r);
	distrust_the_unknown(session, program, may_run_others);
	r = python ? weave_expect_python(&session->weave, session->pid, python) : 0;
	if (r < 0)
		return session_fail(failure, SESSION_FAULT_SYSTEM, r);
	if (!session->pid && !program)
		r = weave_all_processes(&session->weave, &failure->why);
	if (r < 0)
		return session_fail(failure, SESSION_FAULT_SYSTEM, r);
	if (!program)
		r = weave_search_named(&session->weave, session->pid, &paths);
	if (r >= 0)
		r = weave_files(&session->weave, &paths, &failure->why);
	if (r == -E2BIG || r == -EDQUOT)
		return session_fail(failure, SESSION_FAULT_LIMIT, r);
	if (r < 0 || session->allow_empty || may_run_others)
		return r;
	return weave_check(&session->weave, &session->aspects, failure);
}

/* Who is about to be executed, or has mapped a file. */
struct newcomer {
	pid_t pid;
	const char *file, *path; /* what it can be opened by, and what the process calls it */
	uint64_t since_ns;	 /* when the process mapped it, or 0 if none has yet: it is held at the door */
	char *preload;		 /* LD_PRELOAD, where it is about to be executed with that; owned */
};

/* Returns 1 if the libraries of the file were looked for before, and notes that they are. */
static int note_search(struct session *session, const struct newcomer *newcomer, uint64_t *ret_key)
{
	const char *preload = newcomer->preload ?: "";
	uint64_t identity[3] = { [2] = hash_bytes(preload, strlen(preload)) };
	struct stat status;
	int r;

	r = reach_stat(newcomer->file, &status);
	if (r < 0)
		return r;
	identity[0] = status.st_dev;
	identity[1] = status.st_ino;
	*ret_key = hash_bytes(identity, sizeof(identity));
	return hash_find(&session->searched, *ret_key) ? 1 : hash_put(&session->searched, *ret_key, session);
}

/* The file with all that it would load, which tells how the returns of each can be seen; nothing if it was looked for before. */
static int find_late(struct session *session, const struct newcomer *newcomer, struct strings *paths, struct why *why)
{
	struct stat status;
	uint64_t key = 0;
	int r;

	r = note_search(session, newcomer, &key);
	if (r)
		return r < 0 ? r : 0;
	r = (newcomer->since_ns ? weave_search_program : weave_search_executed)(&session->weave, newcomer->pid, newcomer->path, paths,
										  why);
	if (r == -ENOMEM || r == -ENOEXEC)
		return r;
	if (reach_stat(newcomer->file, &status) < 0) { /* gone with its process: the next one is another chance */
		hash_remove(&session->searched, key);
		return -ENOENT;
	}
	if (r < 0 && !session->weave.distrust)
		session->weave.distrust = "what the program is made of could not be found";
	return strings_add(paths, newcomer->file);
}

/* It was woven for what it is made of elsewhere. To weave it again would lose the calls that are open in other processes. */
static void warn_of_preload(struct session *session, const struct newcomer *newcomer, const struct strings *paths)
{
	struct stat status;

	if (!newcomer->preload || reach_stat(newcomer->file, &status) < 0 ||
	    !weave_has_return_probes(&session->weave, status.st_dev, status.st_ino) ||
	    !inspector_distrust(session->weave.inspector, paths))
		return;
	warnings_add(&session->warnings, "process %d executed '%s' with 'LD_PRELOAD=%s', and return probes were on its functions already: "
		     "an exception that passes one ends it; with --returns=sites it does not",
		     newcomer->pid, newcomer->path, newcomer->preload);
}

/* A file that was not known before, or not with what is loaded beside: with all that it would load, before that is loaded. */
static void weave_late(struct session *session, const struct newcomer *newcomer)
{
	_cleanup_(strings_done) struct strings paths = { 0 };
	struct why why = { 0 };
	int r;

	if (session->members)
		members_account(session->members);
	r = find_late(session, newcomer, &paths, &why);
	if (r >= 0)
		warn_of_preload(session, newcomer, &paths);
	if (r >= 0)
		r = weave_files(&session->weave, &paths, &why);
	if (r < 0 && r != -ENOENT && r != -ENOEXEC && r != -ESRCH && r != -ECANCELED)
		warnings_add(&session->warnings, "'%s' was not woven: %s", newcomer->path, why_text(&why, r));
	if (session->members)
		members_account(session->members);
}

static void weave_executed(struct session *session, pid_t pid, const char *path)
{
	static const char *const names[] = { "LD_PRELOAD" };
	struct newcomer newcomer = { .pid = pid, .file = path, .path = path };

	if (execution_environment(pid, names, &newcomer.preload, 1) < 0)
		newcomer.preload = NULL;
	weave_late(session, &newcomer);
	free(newcomer.preload);
}

/* The same of one that a process has mapped: it may have called its functions before they were woven. */
static void weave_mapped(struct session *session, const struct mapping *mapping, const char *file)
{
	const struct newcomer newcomer = {
		.pid = mapping->pid, .file = file, .path = mapping->path, .since_ns = mapping->time_ns };
	uint32_t before = labels_last(session->labels), n_before = labels_count(session->labels), n_woven;

	weave_late(session, &newcomer);
	n_woven = labels_count(session->labels) - n_before;
	if (!n_woven)
		return;
	late_note_file(&session->late, mapping, before, labels_last(session->labels));
	warnings_add(&session->warnings, "%u functions of '%s' were woven after process %d had begun to use it: calls of %.1f ms are missing",
		     n_woven, text_file_name(mapping->path), mapping->pid,
		     (clock_now_ns(CLOCK_BOOTTIME) - mapping->time_ns) / 1e6);
}

/* A file that we see under the same path is opened there: the process may be gone already. */
static bool is_in_our_root(const struct mapping *mapping)
{
	struct stat status;

	return reach_stat(mapping->path, &status) == 0 && status.st_dev == mapping->dev && status.st_ino == mapping->ino;
}

/*
 * One that has ended meanwhile is in the scope no more, and may have been: weaving too much does no harm; but that it is so would
 * tell a plain user what others run.
 */
static bool is_foreign(const struct session *session, pid_t pid)
{
	if (session->is_restricted)
		return !attach_has_process(session->attach, pid);
	if (!session->pid || attach_has_process(session->attach, pid))
		return false;
	return !attach_may_have_had_process(session->attach, pid) || kill(pid, 0) == 0 || errno != ESRCH;
}

static void on_mapping(const struct mapping *mapping, void *userdata)
{
	_cleanup_close_ int fd = -1; /* the process may end before all that it would load is found */
	struct session *session = userdata;
	char file[PATH_MAX + 32];

	if (weave_has_seen(&session->weave, mapping->dev, mapping->ino)) {
		if (late_has_mapping(&session->late, mapping) && !is_foreign(session, mapping->pid))
			late_note_mapping(&session->late, mapping);
		return;
	}
	if (is_foreign(session, mapping->pid))
		return;
	snprintf(file, sizeof(file), "/proc/%d/root%s", mapping->pid, mapping->path);
	if (is_in_our_root(mapping))
		snprintf(file, sizeof(file), "%s", mapping->path);
	else if (!session->is_restricted && (fd = reach_open(file, O_PATH | O_CLOEXEC)) >= 0)
		snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	weave_mapped(session, mapping, file);
}

static int on_gate(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;
	unsigned int seconds = session->reach.seconds;
	const char *path;
	pid_t pid;
	int r;

	(void)fd, (void)events;
	session->reach.seconds = GATE_REACH_S;
	while ((r = gate_next(session->gate, &pid, &path)) == 1) {
		if (session->members)
			members_expect_exec(session->members, pid, gate_file(session->gate));
		weave_executed(session, pid, path);
		gate_pass(session->gate);
	}
	session->reach.seconds = seconds;
	if (r < 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* What processes map and execute from now on. A library or program of one binary's scope is woven already. */
int session_open_watch(struct session *session)
{
	const struct watch_config watch = {
		.loop = session->loop,
		.attach = session->attach,
		.mapped = session->binary ? NULL : on_mapping,
		.userdata = session,
	};
	int r;

	r = watch_open(&watch, &session->watch);
	if (r < 0 || session->binary || !session->pid)
		return r;
	if (gate_open(attach_processes_fd(session->attach), &session->gate) < 0)
		return 0; /* then what is executed is woven as soon as it is mapped */
	return sd_event_add_io(session->loop, &session->gate_source, gate_fd(session->gate), EPOLLIN, on_gate, session);
}
