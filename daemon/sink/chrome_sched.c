/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the CPUs ran, and what the threads waited for.
 *
 * Each stretch of time that a thread spends in a state is an event of phase T, which Perfetto (from
 * v54 on) takes for the state of the thread; one that is "Running" and names a CPU is in the CPU's
 * row as well. States are called as Perfetto knows them: R and R+ (preempted) wait for a CPU, S
 * sleeps, D sleeps uninterruptibly. Of threads out of scope only what ran on a CPU is shown.
 *
 * Where a record is missing (a thread leaves a CPU that ran another), nothing is shown for the time
 * that nobody knows of.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/chrome_internal.h"
#include "sink/output.h"
#include "sink/put.h"

#define SCHED_CATEGORY	 "__sched"
#define STATE_LINE_BYTES 256

enum state { UNKNOWN, RUNNING, RUNNABLE, PREEMPTED, SLEEPING, BLOCKED };

static const char *const state_names[] = {
	[RUNNING] = "Running", [RUNNABLE] = "R", [PREEMPTED] = "R+",
	[SLEEPING] = "S",      [BLOCKED] = "D",
};

struct sched_thread {
	uint32_t pid, tid;
	enum state state;
	uint32_t cpu; /* while RUNNING */
	uint64_t since_ns;
	struct {
		uint64_t time_ns; /* 0: nobody is known to have woken it */
		uint32_t pid, tid;
	} waker;
	char comm[PF_COMM_BYTES]; /* as it was shown, of a thread out of scope */
};

static int write_state(struct chrome *chrome, const struct sched_thread *thread, uint64_t now_ns)
{
	struct output *output = chrome->sink.output;
	char *line, *p;

	if (thread->state == UNKNOWN || now_ns <= thread->since_ns)
		return 0;
	if (thread->state != RUNNING && !chrome_is_announced(chrome, thread->pid))
		return 0;

	line = p = output_reserve(output, STATE_LINE_BYTES);
	p = put_literal(p, ",\n{\"name\":\"");
	p = put_string(p, state_names[thread->state]);
	p = put_literal(p, "\",\"cat\":\"" SCHED_CATEGORY "\",\"ph\":\"T\",\"ts\":");
	p = put_thousandths(p, thread->since_ns);
	p = put_literal(p, ",\"dur\":");
	p = put_thousandths(p, now_ns - thread->since_ns);
	p = chrome_put_pid_tid(p, chrome, thread->pid, thread->tid);
	p = put_literal(p, ",\"args\":{");
	if (thread->state == RUNNING) {
		p = put_literal(p, "\"cpu\":");
		p = put_number(p, thread->cpu);
	}
	p = put_literal(p, "}}");
	output_commit(output, p - line);
	return output_error(output);
}

static int change_state(struct chrome *chrome, struct sched_thread *thread, enum state state,
			uint64_t now_ns)
{
	int r = write_state(chrome, thread, now_ns);

	thread->state = state;
	thread->since_ns = now_ns;
	return r;
}

/* Makes it if need be. A tid that comes again in another process is another thread. */
static struct sched_thread *find_thread(struct chrome *chrome, uint32_t pid, uint32_t tid)
{
	struct sched_thread *thread = hash_find(&chrome->threads, tid);

	if (thread && thread->pid == pid)
		return thread;
	if (!thread) {
		thread = malloc(sizeof(*thread));
		if (!thread)
			return NULL;
		if (hash_put(&chrome->threads, tid, thread) < 0) {
			free(thread);
			return NULL;
		}
	}
	*thread = (struct sched_thread){.pid = pid, .tid = tid};
	return thread;
}

static int leave(struct chrome *chrome, const struct pf_switch *cpu_switch)
{
	static const enum state states[PF_N_THREAD_STATES] = {
		[PF_THREAD_ONCPU] = PREEMPTED, /* it would have gone on */
		[PF_THREAD_RUNNABLE] = PREEMPTED, [PF_THREAD_BLOCKED] = SLEEPING,
		[PF_THREAD_IO] = BLOCKED,	  [PF_THREAD_DEAD] = UNKNOWN,
	};
	struct sched_thread *thread =
		find_thread(chrome, cpu_switch->left_pid, cpu_switch->left_tid);
	int r;

	if (!thread)
		return -ENOMEM;
	if (thread->state != RUNNING || thread->cpu != cpu_switch->cpu)
		thread->state = UNKNOWN;
	r = change_state(chrome, thread, states[cpu_switch->left_state], cpu_switch->event.time_ns);
	if (cpu_switch->left_state == PF_THREAD_DEAD)
		free(hash_remove(&chrome->threads, thread->tid));
	return r;
}

/* What else in the trace would name a thread that is not in scope? */
static int name_stranger(struct chrome *chrome, struct sched_thread *thread,
			 const struct pf_switch *cpu_switch)
{
	bool is_new = !*thread->comm;
	int r;

	if (chrome_is_announced(chrome, thread->pid) || strcmp(thread->comm, cpu_switch->comm) == 0)
		return 0;
	memcpy(thread->comm, cpu_switch->comm, sizeof(thread->comm));
	r = chrome_write_name(chrome, "thread_name", &cpu_switch->event, thread->comm);
	if (r == 0 && is_new && thread->pid == thread->tid)
		r = chrome_write_name(chrome, "process_name", &cpu_switch->event, thread->comm);
	return r;
}

/* From whoever woke it to where it runs. */
static int write_wake_arrow(struct chrome *chrome, struct sched_thread *thread,
			    const struct pf_event *runs)
{
	const struct pf_event wakes = {.time_ns = thread->waker.time_ns,
				       .pid = thread->waker.pid,
				       .tid = thread->waker.tid};
	uint64_t number;
	int r;

	thread->waker.time_ns = 0;
	if (!wakes.time_ns || wakes.time_ns >= runs->time_ns ||
	    !chrome_is_announced(chrome, wakes.pid) || !chrome_is_announced(chrome, thread->pid))
		return 0;
	number = ++chrome->n_arrows;
	r = chrome_arrow(chrome, "wakes", SCHED_CATEGORY, &wakes, number, true, "thread",
			 thread->tid);
	return r ?: chrome_arrow(chrome, "woken", SCHED_CATEGORY, runs, number, false, "by",
				 wakes.tid);
}

static int arrive(struct chrome *chrome, const struct pf_switch *cpu_switch)
{
	const struct pf_event *event = &cpu_switch->event;
	struct sched_thread *thread = find_thread(chrome, event->pid, event->tid);
	int r;

	if (!thread)
		return -ENOMEM;
	if (thread->state == RUNNING) /* that it left the other CPU was lost */
		thread->state = UNKNOWN;
	r = change_state(chrome, thread, RUNNING, event->time_ns);
	thread->cpu = cpu_switch->cpu;
	r = r ?: name_stranger(chrome, thread, cpu_switch);
	r = r ?: write_wake_arrow(chrome, thread, event);
	return r ?: hash_put(&chrome->cpus, cpu_switch->cpu, (void *)(uintptr_t)thread->tid);
}

int chrome_cpu_switch(struct sink *sink, const struct pf_switch *cpu_switch)
{
	struct chrome *chrome = (struct chrome *)sink;
	uint32_t ran = (uintptr_t)hash_remove(&chrome->cpus, cpu_switch->cpu);
	struct sched_thread *thread;
	int r = 0;

	if (ran && ran != cpu_switch->left_tid) {
		thread = hash_find(&chrome->threads, ran);
		if (thread && thread->state == RUNNING && thread->cpu == cpu_switch->cpu)
			thread->state = UNKNOWN;
	}
	if (cpu_switch->left_tid)
		r = leave(chrome, cpu_switch);
	if (r == 0 && cpu_switch->event.tid)
		r = arrive(chrome, cpu_switch);
	return r;
}

int chrome_wake(struct sink *sink, const struct pf_wake *wake)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct sched_thread *thread = find_thread(chrome, wake->event.pid, wake->event.tid);

	if (!thread)
		return -ENOMEM;
	if (thread->state == RUNNING || thread->state == RUNNABLE || thread->state == PREEMPTED)
		return 0; /* it was not asleep yet, or no longer */
	thread->waker.time_ns = wake->waker_tid ? wake->event.time_ns - wake->lead_ns : 0;
	thread->waker.pid = wake->waker_pid;
	thread->waker.tid = wake->waker_tid;
	return change_state(chrome, thread, RUNNABLE, wake->event.time_ns);
}

int chrome_finish_sched(struct chrome *chrome, uint64_t time_ns)
{
	struct sched_thread *thread;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && (thread = hash_next(&chrome->threads, &cursor, NULL)))
		r = change_state(chrome, thread, UNKNOWN, time_ns);
	return r;
}

int chrome_cut_sched(struct chrome *chrome, uint64_t time_ns)
{
	struct sched_thread *thread;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && (thread = hash_next(&chrome->threads, &cursor, NULL)))
		if (thread->since_ns < time_ns)
			r = change_state(chrome, thread, thread->state, time_ns);
	return r;
}

static int name_again(struct chrome *chrome, const struct sched_thread *thread, uint64_t time_ns)
{
	const struct pf_event event = {.time_ns = time_ns, .pid = thread->pid, .tid = thread->tid};
	int r;

	r = chrome_write_name(chrome, "thread_name", &event, thread->comm);
	if (r == 0 && thread->pid == thread->tid)
		r = chrome_write_name(chrome, "process_name", &event, thread->comm);
	return r;
}

/* Strangers are named again where they run, the others of them when they come onto a CPU. */
int chrome_resume_sched(struct chrome *chrome, uint64_t time_ns)
{
	struct sched_thread *thread;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && (thread = hash_next(&chrome->threads, &cursor, NULL))) {
		if (!*thread->comm || chrome_is_announced(chrome, thread->pid))
			continue;
		if (thread->state == RUNNING)
			r = name_again(chrome, thread, time_ns);
		else
			*thread->comm = '\0';
	}
	return r;
}

void chrome_free_sched(struct chrome *chrome)
{
	struct sched_thread *thread;
	size_t cursor = 0;

	while ((thread = hash_next(&chrome->threads, &cursor, NULL)))
		free(thread);
	hash_done(&chrome->threads);
	hash_done(&chrome->cpus);
}
