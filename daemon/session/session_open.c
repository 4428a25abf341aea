/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Sizes are chosen before anything is loaded: a plain user's session gets rings that its user may have, and the rest of what the
 * kernel keeps for it is taken from the same quota once it is known. Loading takes the kernel half a second, in which others have
 * the turn.
 */
#include "session/session_internal.h"

#include <errno.h>

#include "probe/counter.h"
#include "session/turn.h"
#include "session/warnings.h"

#define RING_BYTES (4 << 20)
#define MIN_RING_BYTES (64 << 10)
#define MAX_RINGS 16
#define REACH_LIMIT_S 10

static void warn_of_late(const char *path, void *userdata)
{
	struct session *session = userdata;

	if (path)
		warnings_add(&session->warnings, "'%s' was left out: its file system does not answer", path);
	else
		warnings_add(&session->warnings, "no other file is looked at: too many did not answer");
}

void session_limit_reach(struct session *session, const struct session_config *config)
{
	session->reach = (struct reach_limit){
		.seconds = config->read_s && config->read_s < REACH_LIMIT_S ? config->read_s : REACH_LIMIT_S,
		.stop_fd = config->stop_fd,
		.pause = turn_give,
		.resume = turn_take,
		.late_fn = warn_of_late,
		.userdata = session,
	};
	reach_set_limit(&session->reach);
}

/* Half of what its user has left is for the rings: maps, and the probes of each process, take of the rest. */
static int choose_ring_bytes(struct session *session, struct attach_config *config, struct why *why)
{
	struct quota *quota = session->privilege.bytes;
	uint64_t left = quota && quota->max > quota->taken ? quota->max - quota->taken : 0;
	char max[32];

	if (!session->is_restricted || !quota)
		return 0;
	while (config->ring_bytes > MIN_RING_BYTES && config->ring_bytes * config->n_rings > left / 2)
		config->ring_bytes /= 2;
	if (config->ring_bytes * config->n_rings <= left / 2) {
		session->n_kernel_bytes = config->ring_bytes * config->n_rings;
		return quota_take(quota, session->n_kernel_bytes);
	}
	return why_say(why, -EDQUOT, "your sessions may take %s of the kernel's memory, and not enough of it is left for another",
		       text_format_bytes(max, quota->max));
}

/* What the kernel says that it is. */
static int take_kernel_bytes(struct session *session, struct why *why)
{
	uint64_t all = attach_bytes(session->attach), n_bytes = all > session->n_kernel_bytes ? all - session->n_kernel_bytes : 0;
	char max[32], wanted[32];

	if (!session->privilege.bytes)
		return 0;
	if (quota_take(session->privilege.bytes, n_bytes) < 0)
		return why_say(why, -EDQUOT, "your sessions may take %s of the kernel's memory, and this one needs %s more than is "
					     "left",
			       text_format_bytes(max, session->privilege.bytes->max), text_format_bytes(wanted, n_bytes));
	session->n_kernel_bytes += n_bytes;
	return 0;
}

int session_open_attach(struct session *session, const struct binary *program, struct session_failure *failure)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct attach_config config = {
		.n_rings = n_cpus > 0 && n_cpus < MAX_RINGS ? n_cpus : MAX_RINGS,
		.ring_bytes = RING_BYTES,
		.max_processes = SESSION_MAX_PROCESSES,
		.scope_is_all = !session->pid,
		.has_advices = weave_has_advices(&session->weave),
		.has_items = weave_has_items(&session->weave),
		.with_sched = session->with_sched,
		.has_budget = session->budget_permille,
		.metrics = session->metrics.mask,
		.metrics_by_process = session->metrics_by_process,
		.hw = session->metrics.hw,
		.n_hw = session->metrics.n_hw,
	};

	const struct attach_user only = {
		.uid = session->privilege.rights.uid,
		.gid = session->privilege.rights.gid,
		.max_records_per_s = session->privilege.max_records_per_s,
	};
	int r;

	if (program && program->is_program)
		config.program = program;
	if (session->is_restricted)
		config.only = &only;
	r = choose_ring_bytes(session, &config, &failure->why);
	if (r < 0)
		return session_fail(failure, SESSION_FAULT_LIMIT, r);
	turn_give();
	r = attach_open(&config, &session->attach, &failure->why);
	turn_take();
	if (r < 0)
		return r;
	r = take_kernel_bytes(session, &failure->why);
	return r < 0 ? session_fail(failure, SESSION_FAULT_LIMIT, r) : 0;
}

int session_open_inspector(struct session *session, const struct session_config *config)
{
	const struct inspector_config inspector = { .limit_s = config->read_s, .stop_fd = config->stop_fd,
						    .pause = turn_give, .resume = turn_take,
						    .warnings = &session->warnings, .allowance = session->privilege.reading,
						    .rights = session->is_restricted ? &session->privilege.rights : NULL };
	struct weave *weave = &session->weave;
	int r;

	r = inspector_new(&inspector, &session->inspector);
	if (r < 0)
		return r;
	weave->inspector = session->inspector;
	return inspector_plan(session->inspector, config->aspects, config->processes, config->returns,
			      weave->plan.python.by_interpreter, session->files);
}

/* A session does without. */
static int open_gpu(struct session *session)
{
	struct why why = { 0 };
	int r;

	r = gpu_open(session->interval_ms * 1000000ULL, &session->gpu, &why);
	return r == -ENOENT ? strings_add(&session->warnings, why_text(&why, r)) : r;
}

int session_choose_metrics(struct session *session, const char *text, struct session_failure *failure)
{
	int r = text ? metrics_parse(text, &session->metrics, &failure->why) : 0;

	if (r < 0)
		return session_fail(failure, SESSION_FAULT_METRICS, r);
	if (session->is_restricted) {
		r = privilege_check_metrics(&session->metrics, &failure->why);
		if (r < 0)
			return session_fail(failure, SESSION_FAULT_PERMISSION, r);
	}
	if (session->files) { /* each process may want to know */
		session->metrics_by_process = !session->metrics.mask;
		session->metrics.mask |= 1U << PF_METRIC_RSS;
	}
	if (!text)
		return 0;
	r = metrics_keep_present(&session->metrics, &session->warnings);
	for (size_t i = 0; i < session->metrics.n_hw; i++)
		session->hw_names[i] = counter_field(session->metrics.hw[i]);
	return r >= 0 && session->metrics.with_gpu ? open_gpu(session) : r;
}

static void on_notice(void *userdata)
{
	struct session *session = userdata;

	session->notice_fn(session, session->userdata);
}

int session_open_overhead(struct session *session, const struct calibration *calibration)
{
	const struct overhead_config config = {
		.attach = session->attach,
		.calibration = calibration,
		.labels = session->labels,
		.permille = session->budget_permille,
		.notice_fn = on_notice,
		.userdata = session,
	};
	int r = overhead_new(&config, &session->overhead);

	if (r >= 0)
		session->weave.costs = overhead_costs(session->overhead);
	return r;
}
