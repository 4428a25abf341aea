/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Which processes are in the trace can depend on what they are, which comes in several records: until it is complete, the
 * process is held back. The kernel side is told what was decided, and decides the rest itself.
 */
#include "session/pipeline_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/attach_scope.h"
#include "sink/pfw.h"

static struct process *find_process(struct pipeline *pipeline, uint32_t pid, uint64_t since_ns)
{
	struct process *process = hash_find(&pipeline->processes, pid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->since_ns = since_ns;
	if (hash_put(&pipeline->processes, pid, process) < 0) {
		free(process);
		return NULL;
	}
	return process;
}

static void process_free(struct process *process)
{
	free(process->held);
	free(process->gpu_tracks);
	free(process);
}

static uint32_t atoms_of(const struct pipeline *pipeline, const struct identity *identity)
{
	const struct pointcut_process process = {
		.exe = identity->exe,
		.comm = identity->comm,
		.cgroup = identity->cgroup,
		.job = identity->job,
		.uid = identity->has_uid ? identity->uid : UINT32_MAX,
		.rank = identity->rank == IDENTITY_UNKNOWN ? -1 : identity->rank,
	};

	return pipeline->config.atoms ? pointcut_atoms_of_process(pipeline->config.atoms, &process) : 0;
}

bool pipeline_wants(const struct pipeline *pipeline, const struct event *event, uint32_t atoms)
{
	const struct pf_condition *condition;
	const struct identity *identity;
	const struct process *process;

	if (!(atoms & PF_ATOMS_UNDECIDED))
		return true;
	atoms &= ~PF_ATOMS_UNDECIDED;
	condition = labels_condition(pipeline->config.labels, event->header.joinpoint);
	process = hash_find(&pipeline->processes, event->header.pid);
	if (process && process->is_decided) {
		atoms |= process->atoms;
	} else {
		identity = identities_find(pipeline->identities, event->header.pid);
		if (identity)
			atoms |= atoms_of(pipeline, identity);
	}
	return condition && condition_holds(condition, atoms);
}

static int show_process(struct pipeline *pipeline, struct process *process, const struct pf_process_seen *seen)
{
	struct sink *sink = pipeline->config.sink;

	if (!process->is_shown)
		pipeline_add(&pipeline->counts.n_processes, 1);
	process->is_shown = true;
	return sink ? sink->ops->process(sink, seen) : 0;
}

/* Without it the kernel side goes on to leave it to us. */
static void tell_kernel(struct pipeline *pipeline, const struct process *process, const struct identity *identity)
{
	bool by_process = pipeline->config.metrics_by_process;

	if (pipeline->config.attach && (pipeline->config.atoms || by_process))
		attach_set_verdict(pipeline->config.attach, identity->pid, identity->generation, process->atoms,
				   !by_process || pfw_may_want_counters(identity));
}

/* All that will be known of a process is known: which atoms hold, and so whether it is in scope. */
static int decide(struct pipeline *pipeline, struct process *process, const struct identity *identity)
{
	_cleanup_free_ struct pf_process_seen *held = take_ptr(process->held);
	struct sink *sink = pipeline->config.sink;
	int r = 0;

	process->atoms = atoms_of(pipeline, identity);
	process->is_decided = true;
	tell_kernel(pipeline, process, identity);
	if (held && condition_holds(pipeline->config.scope, process->atoms))
		r = show_process(pipeline, process, held);
	return r < 0 || !sink || !process->is_shown ? r : sink->ops->identity(sink, identity);
}

int pipeline_note_identity(struct pipeline *pipeline, uint32_t pid, int complete)
{
	const struct identity *identity = complete > 0 ? identities_find(pipeline->identities, pid) : NULL;
	struct process *process = identity ? hash_find(&pipeline->processes, pid) : NULL;

	return process ? decide(pipeline, process, identity) : complete;
}

/* What has not come of a process by its end, or the session's, will not come any more. */
static int settle(struct pipeline *pipeline, uint32_t pid)
{
	const struct process *process = hash_find(&pipeline->processes, pid);

	return process && !process->is_decided ? pipeline_note_identity(pipeline, pid, 1) : 0;
}

static int hold_process(struct process *process, const struct pf_process_seen *seen)
{
	free(process->held);
	process->held = malloc(sizeof(*seen));
	if (!process->held)
		return -ENOMEM;
	*process->held = *seen;
	return 0;
}

int pipeline_write_process(struct pipeline *pipeline, const struct pf_process_seen *seen)
{
	struct process *process = find_process(pipeline, seen->event.pid, seen->event.time_ns);
	int r;

	if (!process)
		return -ENOMEM;
	process->is_decided = false;
	if (pipeline->config.scope)
		process->is_shown = false; /* until what it runs now shows that it is in scope */
	r = pipeline->config.scope ? hold_process(process, seen) : show_process(pipeline, process, seen);
	return r ?: pipeline_note_identity(pipeline, seen->event.pid, identities_seen(pipeline->identities, seen));
}

static void end_process(struct pipeline *pipeline, const struct pf_process_end *end)
{
	struct process *process = hash_remove(&pipeline->processes, end->event.pid);

	if (!process)
		return;
	pipeline_write_last_sample(pipeline, process, end);
	process_free(process);
}

int pipeline_write_process_end(struct pipeline *pipeline, const struct pf_process_end *end)
{
	const struct process *process;
	struct sink *sink = pipeline->config.sink;
	bool is_shown;
	int r;

	r = settle(pipeline, end->event.pid);
	process = hash_find(&pipeline->processes, end->event.pid);
	is_shown = process && process->is_shown;
	end_process(pipeline, end);
	identities_forget(pipeline->identities, end->event.pid);
	return r ?: sink && is_shown && !end->has_left ? sink->ops->process_end(sink, end) : 0;
}

bool pipeline_shows(const struct pipeline *pipeline, uint32_t pid)
{
	const struct process *process = hash_find(&pipeline->processes, pid);

	return !pipeline->config.scope || (process && process->is_shown);
}

int pipeline_write_fork(struct pipeline *pipeline, const struct pf_fork *fork)
{
	struct sink *sink = pipeline->config.sink;
	int r;

	r = pipeline_note_identity(pipeline, fork->event.pid, identities_forked(pipeline->identities, fork));
	return r ?: sink && pipeline_shows(pipeline, fork->event.pid) ? sink->ops->fork(sink, fork) : 0;
}

uint64_t pipeline_n_shown(const struct pipeline *pipeline)
{
	const struct process *process;
	size_t cursor = 0;
	uint64_t n = 0;

	while ((process = hash_next(&pipeline->processes, &cursor, NULL)))
		n += process->is_shown;
	return n;
}

void pipeline_settle_all(struct pipeline *pipeline)
{
	size_t cursor = 0;
	uint64_t pid;

	while (hash_next(&pipeline->processes, &cursor, &pid))
		pipeline_note_written(pipeline, settle(pipeline, pid));
}

void pipeline_free_processes(struct pipeline *pipeline)
{
	struct process *process;
	size_t cursor = 0;

	while ((process = hash_next(&pipeline->processes, &cursor, NULL)))
		process_free(process);
	hash_done(&pipeline->processes);
}
