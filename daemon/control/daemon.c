/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * control/daemon.c - owns the loop, the server and the sessions
 *
 * It ends in one way only, whatever the cause (a signal, or that its one connection is gone): all
 * sessions are asked to stop, each reports its end to those who wait, and the last one ends the
 * loop. A second signal ends the loop at once.
 *
 * Sessions run on threads of their own, one thread at a time (session/turn.h). What they tell changes this loop, too, so
 * each time it is woken.
 *
 * A session that has ended is kept for a while, so that `perfflow list` can show how it ended.
 */
#include "control/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>

#include "control/audit.h"
#include "control/command.h"
#include "control/cuts.h"
#include "session/overhead.h"
#include "session/turn.h"
#include "util/log.h"
#include "util/now.h"

#define FLUSH_MS 1000 /* for clients that read their last answers slowly */

/*
 * A private daemon is nobody's service: the variables that it inherits are meant for somebody else.
 */
static bool daemon_is_private(const struct daemon *daemon)
{
	return daemon->config->connection_fd >= 0;
}

static void daemon_notify_status(const struct daemon *daemon)
{
	size_t n = daemon_n_running(daemon);

	if (daemon_is_private(daemon))
		return;
	if (n == 0)
		sd_notify(0, "STATUS=Nothing is traced.");
	else
		sd_notifyf(0, "STATUS=%zu %s.", n, n == 1 ? "session runs" : "sessions run");
}

static void daemon_end_if_idle(struct daemon *daemon)
{
	if (!daemon->is_stopping || daemon_n_running(daemon) > 0)
		return;

	server_flush(daemon->server, FLUSH_MS);
	sd_event_exit(daemon->loop, 0);
}

static void daemon_stop(struct daemon *daemon, const char *reason)
{
	if (daemon->is_stopping)
		return;

	daemon->is_stopping = true;
	if (!daemon_is_private(daemon))
		sd_notify(0, "STOPPING=1");
	for (size_t i = 0; i < daemon->n_sessions; i++)
		if (!daemon->sessions[i]->has_ended)
			runner_stop(daemon->sessions[i]->runner, reason);
	daemon_end_if_idle(daemon);
}

/* Sessions */

struct daemon_session *daemon_find_session(struct daemon *daemon, uint64_t id)
{
	for (size_t i = 0; i < daemon->n_sessions; i++)
		if (daemon->sessions[i]->id == id && daemon->sessions[i]->session)
			return daemon->sessions[i];

	return NULL;
}

size_t daemon_n_running(const struct daemon *daemon)
{
	size_t n = 0;

	for (size_t i = 0; i < daemon->n_sessions; i++)
		n += !daemon->sessions[i]->has_ended;

	return n;
}

size_t daemon_n_running_of(const struct daemon *daemon, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < daemon->n_sessions; i++)
		n += !daemon->sessions[i]->has_ended && daemon->sessions[i]->uid == uid;

	return n;
}

int daemon_quotas_of(struct daemon *daemon, uid_t uid, struct daemon_quotas **ret_quotas)
{
	struct daemon_quotas *quotas = hash_find(&daemon->quotas, uid);
	int r;

	if (!quotas) {
		quotas = calloc(1, sizeof(*quotas));
		if (!quotas)
			return -ENOMEM;
		r = hash_put(&daemon->quotas, uid, quotas);
		if (r < 0) {
			free(quotas);
			return r;
		}
	}
	quotas->functions.max = daemon->policy.n_user_functions;
	quotas->bytes.max = daemon->policy.n_user_bytes;
	quotas->reading.max_ns = daemon->policy.user_read_s * 1000000000ULL;
	*ret_quotas = quotas;
	return 0;
}

static void daemon_session_free(struct daemon_session *session)
{
	runner_free(session->runner);
	free(session);
}
DEFINE_CLEANUP(struct daemon_session, daemon_session_free)

static void daemon_forget(struct daemon *daemon, size_t i)
{
	daemon_session_free(daemon->sessions[i]);
	daemon->n_sessions--;
	memmove(&daemon->sessions[i], &daemon->sessions[i + 1],
		(daemon->n_sessions - i) * sizeof(daemon->sessions[0]));
}

static void daemon_forget_oldest(struct daemon *daemon)
{
	size_t i = 0;

	while (i < daemon->n_sessions && !daemon->sessions[i]->has_ended)
		i++;
	if (i < daemon->n_sessions)
		daemon_forget(daemon, i);
}

/* Whose threads have ended, which could not do it themselves; what has not started is forgotten. */
static void daemon_join_ended(struct daemon *daemon)
{
	for (size_t i = daemon->n_sessions; i-- > 0;)
		if (daemon->sessions[i]->has_ended && daemon->sessions[i]->session)
			runner_join(daemon->sessions[i]->runner);
		else if (daemon->sessions[i]->has_ended)
			daemon_forget(daemon, i);
}

static void daemon_wake(const struct daemon *daemon)
{
	eventfd_write(daemon->wake_fd, 1);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	eventfd_t ignored;

	(void)source;
	(void)events;
	eventfd_read(fd, &ignored);
	daemon_join_ended(userdata);

	return 0;
}

static void daemon_end_owned(struct daemon_session *session)
{
	struct peer *owner = take_ptr(session->owner);

	/* Who still waits for the answer has hung up to say that it is enough. */
	runner_stop(session->runner, session->start_call && !peer_is_gone(owner) ? "stopped" : "client gone");
}

static void on_session_ended(struct session *session, void *userdata)
{
	struct daemon_session *ended = userdata;
	struct session_info info;

	session_describe(session, &info);
	audit_end(&info);

	cuts_end(ended->daemon->cuts, ended->id);
	ended->has_ended = true;
	ended->owner = NULL;
	if (ended->start_call)
		call_reply(take_ptr(ended->start_call),
			   JSON_OBJECT({"session", daemon_describe_session(ended)}), false);
	for (size_t i = 0; i < ended->n_stop_calls; i++)
		call_reply(ended->stop_calls[i],
			   JSON_OBJECT({"session", daemon_describe_session(ended)}), false);
	ended->n_stop_calls = 0;

	daemon_notify_status(ended->daemon);
	daemon_end_if_idle(ended->daemon);
	daemon_wake(ended->daemon);
}

const struct calibration *daemon_calibration(struct daemon *daemon)
{
	if (!daemon->calibration && calibration_start(&daemon->calibration) < 0)
		log_error("cannot start a thread that measures what a probe costs");
	return daemon->calibration;
}

/* Who waits for the end is told meanwhile, too. */
static void on_session_notice(struct session *session, void *userdata)
{
	struct daemon_session *noticed = userdata;

	(void)session;
	if (noticed->start_call && noticed->start_call->more)
		call_reply(noticed->start_call, JSON_OBJECT({"session", daemon_describe_session(noticed)}), true);
	daemon_wake(noticed->daemon);
}

static void on_session_failed(int r, void *userdata)
{
	struct daemon_session *failed = userdata;

	log_error("the event loop of session %llu failed: %s", (unsigned long long)failed->id, strerror(-r));
	sd_event_exit(failed->daemon->loop, EXIT_FAILURE);
	daemon_wake(failed->daemon);
}

static void note_start(struct daemon *daemon, struct daemon_session *started)
{
	struct session_info info;

	session_describe(started->session, &info);
	audit_start(&info);
	cuts_begin(daemon->cuts, daemon_describe_session(started));
}

/* Its number goes to the next one, if that has none yet. */
static void note_failed_start(struct daemon *daemon, struct daemon_session *failed)
{
	failed->has_ended = true;
	failed->owner = NULL;
	if (daemon->last_id == failed->id)
		daemon->last_id--;
}

static void on_session_started(struct session *session, int r, const struct session_failure *failure, void *userdata)
{
	struct daemon_session *started = userdata;
	struct daemon *daemon = started->daemon;

	started->session = session;
	if (session)
		note_start(daemon, started);
	else
		note_failed_start(daemon, started);
	started->started_fn(started, r, failure, started->userdata);
	if (session && started->owner && started->is_enough)
		daemon_end_owned(started);
	daemon_notify_status(daemon);
	daemon_end_if_idle(daemon);
	daemon_wake(daemon);
}

static const struct runner_ops runner_ops = {
	.started = on_session_started,
	.notice = on_session_notice,
	.ended = on_session_ended,
	.failed = on_session_failed,
};

int daemon_start_session(struct daemon *daemon, const struct session_config *config, struct peer *owner,
			 daemon_started_fn started_fn, void *userdata)
{
	_cleanup_(daemon_session_freep) struct daemon_session *session =
		calloc(1, sizeof(*session));
	int r;

	if (!session) {
		session_config_close(config);
		return -ENOMEM;
	}
	while (daemon->n_sessions - daemon_n_running(daemon) >= DAEMON_KEPT_SESSIONS)
		daemon_forget_oldest(daemon); /* before there is a new thread: it may give the turn away */
	*session = (struct daemon_session){
		.daemon = daemon,
		.id = daemon->last_id + 1,
		.uid = config->uid,
		.owner = owner,
		.started_fn = started_fn,
		.userdata = userdata,
	};
	r = runner_new(session->id, config, &runner_ops, session, &session->runner);
	if (r < 0)
		return r;
	daemon->last_id = session->id;
	daemon->sessions[daemon->n_sessions++] = take_ptr(session);
	daemon_notify_status(daemon);

	return 0;
}

static struct json_object *describe_scope(const struct session_info *info)
{
	struct json_object *scope = json_object_new_object();

	if (info->pid > 0)
		json_object_object_add(scope, "pid", json_object_new_int64(info->pid));
	if (info->binary)
		json_object_object_add(scope, "binary", json_text(info->binary));
	if (info->command)
		json_object_object_add(scope, "command", json_strings(info->command));

	return scope;
}

static struct json_object *describe_number(uint64_t number)
{
	return json_object_new_int64((int64_t)number);
}

static struct json_object *describe_losses(const struct session_info *info)
{
	const struct json_member members[] = {
		{"ring_full", describe_number(info->losses[PF_LOST_RING_FULL])},
		{"too_deep", describe_number(info->losses[PF_LOST_TOO_DEEP])},
		{"no_thread_state", describe_number(info->losses[PF_LOST_NO_THREAD_STATE])},
		{"no_process", describe_number(info->losses[PF_LOST_NO_PROCESS])},
		{"items", describe_number(info->losses[PF_LOST_ITEMS])},
		{"over_rate", describe_number(info->losses[PF_LOST_OVER_RATE])},
		{"bad_records", describe_number(info->n_bad_records)},
		{"not_written", describe_number(info->n_not_written)},
		{"missed_runs", describe_number(info->n_missed_runs)},
		{0},
	};

	return json_build(members);
}

static struct json_object *describe_overhead(const struct session_info *info)
{
	struct json_object *array = json_object_new_array();
	const struct sink_label *label;
	enum budget_state state;
	struct budget_step step;
	size_t cursor = 0;

	while (info->overhead && overhead_next_limited(info->overhead, &cursor, &state, &step, &label)) {
		const struct json_member members[] = {
			{"function", json_text(label ? label->name : "")},
			{"module", json_text(label ? label->category : "")},
			{"state", json_text(state == BUDGET_PAUSED ? "paused" : "sampled")},
			{"pid", describe_number(step.pid)},
			{"tid", describe_number(step.tid)},
			{"permille", describe_number(step.permille)},
			{"calls_per_s", describe_number(step.calls_per_s)},
			{"call_ns", describe_number(step.call_ns)},
			{0},
		};

		json_object_array_add(array, json_build(members));
	}
	return array;
}

static struct json_object *describe_notices(const struct session_info *info)
{
	static const struct strings none = {0};

	return json_strings(info->overhead ? overhead_notices(info->overhead) : &none);
}

static struct json_object *describe_info(const struct session_info *info)
{
	const struct json_member members[] = {
		{"id", describe_number(info->id)},
		{"state", json_text(info->state == SESSION_RUNNING ? "running" : "ended")},
		{"aspects", json_strings(info->aspects)},
		{"scope", describe_scope(info)},
		{"uid", describe_number(info->uid)},
		{"client_pid", describe_number((uint64_t)info->client_pid)},
		{"started_us", describe_number(info->started_us)},
		{"functions", describe_number(info->n_functions)},
		{"binaries", describe_number(info->n_binaries)},
		{"spans", describe_number(info->n_spans)},
		{"marks", describe_number(info->n_marks)},
		{"processes", describe_number(info->n_processes)},
		{"bytes", describe_number(info->n_bytes)},
		{"pfw_files", describe_number(info->n_files)},
		{"pieces", describe_number(info->n_pieces)},
		{"lost", describe_number(session_info_lost(info))},
		{"losses", describe_losses(info)},
		{"warnings", json_strings(info->warnings)},
		{"budget_permille", describe_number(info->budget_permille)},
		{"left_out", describe_number(info->n_limited)},
		{"limited", describe_overhead(info)},
		{"notices", describe_notices(info)},
		{0},
	};

	return json_build(members);
}

struct json_object *daemon_describe_session(const struct daemon_session *session)
{
	struct json_object *object;
	struct session_info info;

	session_describe(session->session, &info);
	object = describe_info(&info);
	if (object && info.reason)
		json_object_object_add(object, "reason", json_text(info.reason));

	return object;
}

struct json_object *daemon_describe_sessions(const struct daemon *daemon, const uid_t *uid)
{
	struct json_object *array = json_object_new_array(), *cut = cuts_list(daemon->cuts);

	for (size_t i = 0; i < json_object_array_length(cut); i++)
		if (!uid || cuts_is_of(cut, i, *uid))
			json_object_array_add(array, json_object_get(json_object_array_get_idx(cut, i)));
	for (size_t i = 0; i < daemon->n_sessions; i++)
		if (daemon->sessions[i]->session && (!uid || daemon->sessions[i]->uid == *uid))
			json_object_array_add(array, daemon_describe_session(daemon->sessions[i]));

	return array;
}

/* What the server tells */

static int on_admit(const struct peer *peer, size_t n_all, size_t n_own, struct why *why, void *userdata)
{
	struct policy_client client = {.uid = peer_uid(peer)};
	struct daemon *daemon = userdata;
	_cleanup_free_ gid_t *groups = NULL;
	int r;

	peer_client(peer, &client, &groups);
	r = policy_check_connections(&daemon->policy, &client, n_all, n_own, why);
	if (r < 0)
		audit_refusal(client.uid, peer_pid(peer), "to connect", why_text(why, r));
	return r;
}

static void on_call(struct call *call, void *userdata)
{
	command_dispatch(userdata, call);
}

static void on_hangup(struct peer *peer, void *userdata)
{
	struct daemon *daemon = userdata;

	for (size_t i = 0; i < daemon->n_sessions; i++) {
		struct daemon_session *session = daemon->sessions[i];

		if (session->owner == peer && (session->session || peer_is_gone(peer))) {
			daemon_end_owned(session);
		} else if (session->owner == peer) {
			session->is_enough = true;
		} else if (!session->owner && session->start_call &&
			   session->start_call->peer == peer && peer_is_gone(peer)) {
			/* It is detached, or ends already: either way nobody waits any more. */
			call_reply(take_ptr(session->start_call), NULL, false);
		}
	}
}

static void on_idle(void *userdata)
{
	daemon_stop(userdata, "client gone");
}

static const struct server_ops server_ops = {
	.admit = on_admit,
	.call = on_call,
	.hangup = on_hangup,
	.idle = on_idle,
};

/* Life */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;

	(void)info;
	if (daemon->is_stopping)
		sd_event_exit(sd_event_source_get_event(source), 0);
	daemon_stop(daemon, "perfflowd was stopped");

	return 0;
}

int daemon_load_policy(const struct daemon_config *config, struct policy *ret_policy, struct why *why)
{
	return policy_load(config->policy_path ? config->policy_path : POLICY_DEFAULT_PATH, !config->policy_path, ret_policy,
			   why);
}

/* What runs goes on; a policy with a mistake in it changes nothing. */
static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;
	struct why why = {0};
	int r;

	(void)source;
	(void)info;
	r = daemon_is_private(daemon) ? 0 : daemon_load_policy(daemon->config, &daemon->policy, &why);
	if (r < 0)
		log_error("the policy stays as it is: %s", why_text(&why, r));
	else
		log_info("the policy was read again");

	return 0;
}

/* The signals are blocked before there is any thread, so that none of them takes one. */
static int daemon_watch_signals(struct daemon *daemon)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {{SIGTERM, on_signal}, {SIGINT, on_signal}, {SIGHUP, on_reload}};
	sigset_t mask;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&mask, signals[i].number);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		r = sd_event_add_signal(daemon->loop, NULL, signals[i].number, signals[i].handler, daemon);
		if (r < 0)
			return r;
	}

	return 0;
}

static int daemon_listen(struct daemon *daemon, struct why *why)
{
	int n, r;

	if (daemon_is_private(daemon)) {
		r = server_add_peer(daemon->server, daemon->config->connection_fd);
		return r < 0 ? why_set(why, r, "cannot serve descriptor %d",
				       daemon->config->connection_fd)
			     : 0;
	}

	n = sd_listen_fds(1);
	if (n > 1)
		return why_say(why, -EINVAL, "one socket is served, and %d were handed over", n);
	if (n <= 0)
		return server_listen_path(daemon->server, daemon->config->socket_path, 0600, why);

	if (sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
		return why_say(
			why, -EINVAL,
			"the socket that was handed over is no listening Unix stream socket");
	r = server_listen_fd(daemon->server, SD_LISTEN_FDS_START);

	return r < 0 ? why_set(why, r, "cannot listen at the socket that was handed over") : 0;
}

static int daemon_init(struct daemon *daemon, struct why *why)
{
	int r;

	policy_init(&daemon->policy);
	r = daemon_is_private(daemon) ? 0 : daemon_load_policy(daemon->config, &daemon->policy, why);
	if (r < 0)
		return r;
	r = sd_event_new(&daemon->loop);
	if (r < 0)
		return why_set(why, r, "cannot make an event loop");
	daemon->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = daemon->wake_fd < 0 ? -errno
				: sd_event_add_io(daemon->loop, NULL, daemon->wake_fd, EPOLLIN, on_wake, daemon);
	if (r < 0)
		return why_set(why, r, "cannot have the loop woken");
	r = daemon_watch_signals(daemon);
	if (r < 0)
		return why_set(why, r, "cannot watch for signals");
	r = cuts_new(daemon_is_private(daemon) ? NULL : daemon->config->state_folder, &daemon->cuts);
	if (r < 0)
		return r;
	daemon->last_id = cuts_last_id(daemon->cuts);
	r = server_new(daemon->loop, &server_default_limits, &server_ops, daemon, &daemon->server);
	if (r < 0)
		return r;
	r = daemon_listen(daemon, why);
	if (r < 0)
		return r;
	if (!daemon_is_private(daemon)) {
		r = sd_event_set_watchdog(daemon->loop, 1);
		if (r < 0)
			return why_set(why, r, "cannot serve the watchdog");
		sd_notify(0, "READY=1");
		daemon_notify_status(daemon);
	}

	return 0;
}

static void daemon_done(struct daemon *daemon)
{
	struct daemon_quotas *quotas;

	while (daemon->n_sessions > 0) {
		struct daemon_session *session = daemon->sessions[--daemon->n_sessions];
		uint64_t id = session->id;

		daemon_session_free(session); /* which completes its trace */
		cuts_end(daemon->cuts, id);
	}
	cuts_free(daemon->cuts);
	for (size_t cursor = 0; (quotas = hash_next(&daemon->quotas, &cursor, NULL));)
		free(quotas);
	hash_done(&daemon->quotas);
	calibration_free(daemon->calibration);
	server_free(daemon->server);
	sd_event_unref(daemon->loop);
	closep(&daemon->wake_fd);
}

int daemon_run(const struct daemon_config *config)
{
	_cleanup_(daemon_done) struct daemon daemon = {.config = config, .wake_fd = -1, .started_us = clock_now_ns(CLOCK_REALTIME) / 1000};
	int r, status = EXIT_FAILURE;
	struct why why = {0};

	turn_take();
	r = daemon_init(&daemon, &why);
	if (r < 0) {
		log_error("%s", why_text(&why, r));
		return EXIT_FAILURE;
	}

	r = turn_run_shared_loop(daemon.loop);
	if (r >= 0)
		sd_event_get_exit_code(daemon.loop, &status);
	else
		log_error("the event loop failed: %s", strerror(-r));

	return status;
}
