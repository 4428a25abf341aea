/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Starting goes from the expression to armed probes; whatever fails on the way undoes what came before it.
 *
 * Ending goes the other way round: disarm, let the kernel side send the spans that are still open, let the pipeline write
 * all that the rings hold, and only then detach, so that the user waits for the trace and not for the kernel.
 *
 * What is opened on the way is in session_open.c and session_trace.c, whom a session sees in session_scope.c, and what is woven in
 * session_weave.c.
 */
#include "session/session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "binary/process.h"
#include "session/weave_report.h"
#include "util/now.h"

void session_config_close(const struct session_config *config)
{
	closep(&config->output_fd);
	closep(&config->files_fd);
	closep(&config->pieces_fd);
}

void session_failure_done(struct session_failure *failure)
{
	free(failure->aspect);
	strings_done(&failure->candidates);
}

int session_fail(struct session_failure *failure, enum session_fault fault, int r)
{
	failure->fault = fault;
	return r;
}

static int copy_strings(struct strings *to, const struct strings *from)
{
	int r = 0;

	for (size_t i = 0; from && i < from->n_items && r >= 0; i++)
		r = strings_add(to, from->items[i]);
	return r;
}

static int copy_config(struct session *session, const struct session_config *config)
{
	int r;

	session->pid = config->pid;
	session->uid = config->uid;
	session->client_pid = config->client_pid;
	session->allow_empty = config->allow_empty;
	session->with_sched = config->with_sched;
	session->interval_ms = config->interval_ms;
	session->budget_permille = config->budget_permille;
	session->started_us = clock_now_ns(CLOCK_REALTIME) / 1000;
	if (config->binary) {
		session->binary = strdup(config->binary);
		if (!session->binary)
			return -ENOMEM;
	}
	r = copy_strings(&session->aspects, config->aspects);
	return r < 0 ? r : copy_strings(&session->command, config->command);
}

static int copy_privilege(struct session *session, const struct privilege *privilege)
{
	if (!privilege)
		return 0;
	session->privilege = *privilege;
	session->privilege.rights = (struct rights){ 0 };
	session->is_restricted = true;
	return rights_copy(&privilege->rights, &session->privilege.rights);
}

static int on_target_exit(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)fd, (void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	session_stop(userdata, "target exited");
	return 0;
}

static void close_sources(struct session *session)
{
	session->target_source = sd_event_source_disable_unref(session->target_source);
	session->gate_source = sd_event_source_disable_unref(session->gate_source);
}

/* Processes and libraries that nobody heard of. */
static void warn_of_missed(struct session *session)
{
	if (session->members)
		members_conclude(session->members);
	if (session->watch && watch_n_lost(session->watch))
		warnings_add(&session->warnings, "the kernel had no room to tell of %llu mappings: libraries among them were not woven",
			     (unsigned long long)watch_n_lost(session->watch));
	if (session->watch && watch_n_came(session->watch))
		warnings_add(&session->warnings,
			     "CPUs came %u times while the session ran: what processes loaded there in the second before was woven late",
			     watch_n_came(session->watch));
	attach_conclude_counters(session->attach, &session->warnings);
}

/* What its user may have again. */
static void give_back(struct session *session)
{
	members_close(take_ptr(session->members));
	if (session->privilege.functions)
		quota_give_back(session->privilege.functions, session->weave.n_taken);
	if (session->privilege.bytes)
		quota_give_back(session->privilege.bytes, session->n_kernel_bytes);
	session->weave.n_taken = session->n_kernel_bytes = 0;
}

/* The trace is complete: join the thread, then let the kernel side go. */
static void finish(struct session *session)
{
	if (session->symbolizer)
		symbolizer_warn(session->symbolizer, &session->warnings);
	if (session->gpu)
		gpu_warn(session->gpu, &session->warnings);
	weave_warn_python(&session->weave, &session->warnings);
	if (session->files)
		copy_strings(&session->warnings, files_warnings(session->files));
	if (session->rotation)
		rotation_warn(session->rotation, &session->warnings);
	session_describe(session, &session->final);
	close_sources(session);
	session->pipeline_source = sd_event_source_disable_unref(session->pipeline_source);
	pipeline_free(take_ptr(session->pipeline));
	files_free(take_ptr(session->files));
	rotation_free(take_ptr(session->rotation));
	symbolizer_free(take_ptr(session->symbolizer));
	gpu_close(take_ptr(session->gpu));
	give_back(session);
	attach_close(take_ptr(session->attach));
	inspector_free(take_ptr(session->inspector));
	closep(&session->target_fd);
	closep(&session->stop_fd);
	session->target_fd = session->stop_fd = -1;
	session->state = SESSION_ENDED;
}

static void set_reason(struct session *session, const char *reason)
{
	free(session->reason);
	session->reason = strdup(reason);
}

static int on_pipeline(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct session *session = userdata;
	struct pipeline_counts counts;
	char reason[256];
	eventfd_t ignored;

	(void)source, (void)events;
	eventfd_read(fd, &ignored);
	pipeline_count(session->pipeline, &counts);
	if (counts.output_error && !session->output_failed) {
		session->output_failed = true;
		snprintf(reason, sizeof(reason), "output failed: %s", strerror(-counts.output_error));
		session_stop(session, reason);
		set_reason(session, reason); /* also where it failed when the session ended already */
	}
	if (pipeline_has_ended(session->pipeline)) {
		finish(session);
		session->ended_fn(session, session->userdata);
	}
	return 0;
}

static int open_sources(struct session *session)
{
	int r;

	r = sd_event_add_io(session->loop, &session->pipeline_source, pipeline_event_fd(session->pipeline), EPOLLIN,
			    on_pipeline, session);
	if (r < 0 || !session->pid)
		return r;
	r = sd_event_add_io(session->loop, &session->target_source, session->target_fd, EPOLLIN, on_target_exit, session);
	/* before that the client hangs up, which it does when its command has ended */
	return r < 0 ? r : sd_event_source_set_priority(session->target_source, SD_EVENT_PRIORITY_NORMAL - 1);
}

static int check_privilege(const struct session *session, const struct session_config *config, struct session_failure *failure)
{
	int r = 0;

	if (session->is_restricted)
		r = privilege_check_scope(&session->privilege.rights, config->pid, config->with_sched, &failure->why);
	return r < 0 ? session_fail(failure, SESSION_FAULT_PERMISSION, r) : 0;
}

/* All that can be told without the kernel side: whether it may be, and what it takes. */
static int prepare(struct session *session, const struct session_config *config, struct binary **ret_program,
		   struct session_failure *failure)
{
	int r;

	r = process_check_namespace(&failure->why);
	if (r < 0)
		return r;
	r = check_privilege(session, config, failure);
	if (r < 0)
		return r;
	r = labels_new(&session->labels);
	if (r < 0)
		return r;
	r = weave_init(&session->weave, session->labels, config->aspects, config->processes, config->returns, failure);
	if (r >= 0 && session->is_restricted)
		weave_restrict(&session->weave, &session->privilege.rights, session->privilege.functions);
	if (r >= 0 && !config->command)
		r = weave_ask_interpreters(&session->weave, failure);
	if (r >= 0)
		r = session_choose_metrics(session, config->metrics, failure);
	if (r < 0)
		return r;
	r = session_open_inspector(session, config);
	return r < 0 ? r : session_check_scope(session, config, ret_program, failure);
}

/* Everything is woven and watched: from now on it records. */
static int begin(struct session *session, struct session_failure *failure)
{
	int r;

	r = pipeline_begin(session->pipeline);
	if (r < 0) {
		why_set(&failure->why, r, "cannot write the trace");
		return session_fail(failure, SESSION_FAULT_OUTPUT, r);
	}
	r = open_sources(session);
	if (r < 0)
		return why_set(&failure->why, r, "cannot watch the session's files");
	r = overhead_start(session->overhead, session->loop, session->pipeline);
	if (r < 0)
		return why_set(&failure->why, r, "cannot watch what the session costs");
	attach_arm(session->attach);
	r = pipeline_start(session->pipeline);
	return r < 0 ? why_set(&failure->why, r, "cannot start the session's thread") : 0;
}

static int start(struct session *session, const struct session_config *config, int *output_fd,
		 struct session_failure *failure)
{
	_cleanup_(binary_freep) struct binary *program = NULL;
	int r;

	r = prepare(session, config, &program, failure);
	if (r < 0)
		return r;
	r = session_open_attach(session, program, failure);
	if (r < 0)
		return r;
	r = session_open_overhead(session, config->calibration);
	if (r < 0)
		return r;
	session->weave.attach = session->attach;
	r = session_open_pipeline(session, config, output_fd, failure);
	if (r < 0)
		return r;
	r = session_open_members(session);
	if (r < 0)
		return why_set(&failure->why, r, "cannot watch what becomes of the processes");
	r = session_open_target(session, failure);
	if (r < 0)
		return r;
	r = session_open_watch(session); /* before the first look, so that nothing comes between */
	if (r < 0)
		return session_cannot_watch(r, &failure->why);
	r = session_weave(session, program, config->python, failure);
	if (session->members)
		members_account(session->members);
	return r < 0 ? r : begin(session, failure);
}

int session_start(sd_event *loop, uint64_t id, const struct session_config *config, session_ended_fn ended_fn,
		  session_notice_fn notice_fn, void *userdata, struct session **ret_session, struct session_failure *failure)
{
	_cleanup_(session_freep) struct session *session = NULL;
	_cleanup_close_ int output_fd = config->output_fd, files_fd = config->files_fd, pieces_fd = config->pieces_fd;
	int r = 0;

	*failure = (struct session_failure){ .fault = SESSION_FAULT_SYSTEM };
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->id = id;
	session->loop = loop;
	session->ended_fn = ended_fn;
	session->notice_fn = notice_fn;
	session->userdata = userdata;
	session->stop_fd = session->target_fd = -1;
	if (files_fd >= 0)
		r = files_new(take_fd(files_fd), &session->files);
	if (r == 0 && pieces_fd >= 0)
		r = rotation_new(take_fd(pieces_fd), config->piece_bytes, config->piece_ns, clock_now_ns(CLOCK_BOOTTIME),
				 &session->rotation);
	r = r ?: copy_config(session, config);
	r = r ?: copy_privilege(session, config->privilege);
	if (r < 0)
		return r;
	session_limit_reach(session, config);
	r = start(session, config, &output_fd, failure);
	if (r < 0)
		reach_set_limit(NULL);
	if (r < 0)
		return r;
	*ret_session = take_ptr(session);
	return 0;
}

void session_stop(struct session *session, const char *reason)
{
	if (session->reason || session->state == SESSION_ENDED)
		return;
	session->reason = strdup(reason);
	close_sources(session);
	gate_close(take_ptr(session->gate));
	weave_report(&session->weave, &session->aspects, &session->warnings);
	warn_of_missed(session);
	watch_close(take_ptr(session->watch));
	overhead_stop(session->overhead);
	attach_stop(session->attach);
	pipeline_stop(session->pipeline, reason, &session->warnings);
	if (session->weave.n_overruled) /* for the user: the trace lacks nothing by it */
		warnings_add(&session->warnings, "several aspects select %zu of the functions and would record different things: the first one decided",
			     session->weave.n_overruled);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	if (session->state == SESSION_RUNNING && session->attach && session->pipeline)
		session_stop(session, "daemon stopped");
	close_sources(session);
	gate_close(session->gate);
	watch_close(session->watch);
	sd_event_source_disable_unref(session->pipeline_source);
	pipeline_free(session->pipeline);
	files_free(session->files);
	rotation_free(session->rotation);
	symbolizer_free(session->symbolizer);
	gpu_close(session->gpu);
	give_back(session);
	attach_close(session->attach);
	overhead_free(session->overhead);
	weave_done(&session->weave);
	inspector_free(session->inspector);
	labels_free(session->labels);
	hash_done(&session->searched);
	late_done(&session->late);
	users_done(&session->users);
	rights_done(&session->privilege.rights);
	closep(&session->target_fd);
	closep(&session->stop_fd);
	strings_done(&session->aspects);
	strings_done(&session->command);
	strings_done(&session->warnings);
	free(session->binary);
	free(session->reason);
	free(session);
}

static void describe_counts(const struct session *session, struct session_info *info)
{
	struct pipeline_counts counts;
	uint64_t counters[PF_N_COUNTERS];

	pipeline_count(session->pipeline, &counts);
	attach_counters(session->attach, counters);
	memcpy(info->losses, counters, sizeof(info->losses));
	info->n_spans = counts.n_spans;
	info->n_marks = counts.n_marks;
	info->n_processes = counts.n_processes;
	info->n_bytes = counts.n_bytes;
	info->n_bad_records = counts.n_bad_records;
	info->n_not_written = counts.n_not_written;
	info->n_files = session->files ? files_count(session->files) : 0;
	info->n_pieces = session->rotation ? rotation_piece(session->rotation) : 0;
	info->n_missed_runs = attach_n_missed_runs(session->attach);
	info->n_limited = counters[PF_COUNT_LIMITED];
}

void session_describe(const struct session *session, struct session_info *ret_info)
{
	*ret_info = session->final;
	if (session->state == SESSION_RUNNING)
		describe_counts(session, ret_info);
	ret_info->id = session->id;
	ret_info->state = session->state;
	ret_info->reason = session->reason;
	ret_info->aspects = &session->aspects;
	ret_info->warnings = &session->warnings;
	ret_info->pid = session->pid;
	ret_info->binary = session->binary;
	ret_info->command = session->command.n_items ? &session->command : NULL;
	ret_info->uid = session->uid;
	ret_info->client_pid = session->client_pid;
	ret_info->is_restricted = session->is_restricted;
	ret_info->started_us = session->started_us;
	ret_info->budget_permille = session->budget_permille;
	ret_info->overhead = session->overhead;
	ret_info->n_functions = labels_count(session->labels) - session->weave.n_under_way;
	ret_info->n_binaries = session->weave.n_binaries;
}

uint64_t session_info_lost(const struct session_info *info)
{
	uint64_t lost = info->n_bad_records + info->n_not_written + info->n_missed_runs;

	for (size_t i = 0; i < PF_N_LOSSES; i++)
		lost += info->losses[i];
	return lost;
}
