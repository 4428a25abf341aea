/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Processes: their names and order, what is known of them, and how they begin and end.
 *
 * Readers take two processes with one pid for one process. So a process whose pid was seen with an
 * earlier one is shown with a number that no process has. Nobody looks a pid up while no pid came
 * twice, which is nearly always.
 *
 * Viewers show little of what metadata says, so all that is known of a process stands in the args
 * of an event of its own, and its rank in its name, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "sink/args.h"
#include "sink/chrome_internal.h"
#include "sink/output.h"

#define FIRST_SHOWN_PID	   (1U << 30)  /* pids end at 2^22 */
#define CLOCK_TICK_NS	   10000000    /* the unit of process start times in /proc */
#define PROCESS_CATEGORY   "__process" /* no file is called so */
#define PROCESSES_PER_RANK 2048	       /* that have a place of their own in the order */
#define MAX_SORTED_RANK	   ((INT32_MAX / PROCESSES_PER_RANK) - 2)

static int write_sort_index(struct chrome *chrome, const struct pf_event *event, int64_t index)
{
	int r;

	r = chrome_begin_line(chrome, "process_sort_index", METADATA_CATEGORY, "M", event);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_signed(&chrome->line, "sort_index", index);
	r = r ?: chrome_end_args(chrome);
	return r ?: chrome_keep(chrome, KEPT_ORDER, event);
}

static int sort_by_rank(struct chrome *chrome, const struct pf_event *event, int32_t rank)
{
	const struct process *process = hash_find(&chrome->processes, event->pid);
	uint32_t order = process ? process->order : 0;

	if (rank > MAX_SORTED_RANK)
		rank = MAX_SORTED_RANK;
	if (order >= PROCESSES_PER_RANK)
		order = PROCESSES_PER_RANK - 1;
	return write_sort_index(chrome, event, (int64_t)(rank + 1) * PROCESSES_PER_RANK + order);
}

int chrome_write_name(struct chrome *chrome, const char *what, const struct pf_event *event,
		      const char *name)
{
	int r;

	r = chrome_begin_line(chrome, what, METADATA_CATEGORY, "M", event);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_string(&chrome->line, "name", name);
	r = r ?: chrome_end_args(chrome);
	return r ?: chrome_keep(chrome, *what == 't' ? KEPT_THREAD : KEPT_NAME, event);
}

/*
 * Whether it is the process that was seen before, maybe with a new program. What /proc tells of the
 * start of a process is cut to a clock tick, where the kernel side knows the nanosecond; a pid does
 * not come round within a tick.
 */
static bool is_same_process(const struct process *process, uint64_t start_ns)
{
	if (process->start_ns == start_ns)
		return true;
	return !process->ended && process->start_ns / CLOCK_TICK_NS == start_ns / CLOCK_TICK_NS;
}

/* Returns 1 for one that was not seen before. */
static int note_process(struct chrome *chrome, uint32_t pid, uint64_t start_ns)
{
	struct process *process = hash_find(&chrome->processes, pid);
	_cleanup_free_ struct process *made = NULL;
	bool is_new = true;
	int r;

	if (process) {
		is_new = !is_same_process(process, start_ns);
		if (is_new) {
			chrome_forget(process);
			process->shown_pid = FIRST_SHOWN_PID + chrome->n_renumbered++;
			process->order = chrome->n_processes++;
		}
		process->start_ns = start_ns;
		process->ended = false;
		return is_new;
	}

	made = malloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = (struct process){
		.start_ns = start_ns, .shown_pid = pid, .order = chrome->n_processes};
	r = hash_put(&chrome->processes, pid, made);
	if (r < 0)
		return r;
	made = NULL;
	chrome->n_processes++;
	return 1;
}

/* The arguments with spaces between; the kernel's short name where a process has none. */
static void describe_process(const struct pf_process_seen *process,
			     char name[PF_COMMAND_LINE_BYTES + 1])
{
	size_t size = process->command_line_bytes;

	while (size > 0 && process->command_line[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		name[i] = process->command_line[i] ? process->command_line[i] : ' ';
	name[size] = '\0';
	if (size == 0)
		memcpy(name, process->comm, sizeof(process->comm));
}

/* From the thread that has executed another program, which has ended with the old one, to the first of the new one. */
static int write_execution(struct chrome *chrome, const struct pf_event *by)
{
	uint64_t number = ++chrome->n_arrows;
	struct pf_event at = *by;
	int r;

	r = chrome_arrow(chrome, "exec", PROCESS_CATEGORY, &at, number, true, "becomes", by->pid);
	at.tid = at.pid;
	at.time_ns++;
	return r ?: chrome_arrow(chrome, "executed", PROCESS_CATEGORY, &at, number, false, "was",
				 by->tid);
}

int chrome_process(struct sink *sink, const struct pf_process_seen *seen)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct pf_event main_thread = seen->event;
	char name[PF_COMMAND_LINE_BYTES + 1];
	int r;

	main_thread.tid = main_thread.pid;
	r = note_process(chrome, seen->event.pid, seen->start_ns);
	if (r == 1)
		r = sort_by_rank(chrome, &main_thread, IDENTITY_UNKNOWN);
	describe_process(seen, name);
	r = r ?: chrome_write_name(chrome, "process_name", &main_thread, name);
	return r < 0 || !seen->has_executed ? r : write_execution(chrome, &seen->event);
}

/* "rank 3,slurm job 17.0,container 4f1a,host n01": catapult shows each of them. */
static int write_labels(struct chrome *chrome, const struct identity *identity,
			const struct pf_event *event)
{
	_cleanup_(text_done) struct text labels = {};
	int r = 0;

	if (identity->rank >= 0)
		r = text_printf(&labels, "rank %d,", identity->rank);
	if (identity->job)
		r = r ?: text_printf(&labels, "%s job %s%s%s,", identity->scheduler ?: "",
				     identity->job, identity->step ? "." : "",
				     identity->step ?: "");
	if (identity->container)
		r = r ?: text_printf(&labels, "container %s,", identity->container);
	if (r < 0 || !labels.size)
		return r;
	r = text_printf(&labels, "host %s", chrome->host);
	r = r ?: chrome_begin_line(chrome, "process_labels", METADATA_CATEGORY, "M", event);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_string(&chrome->line, "labels", labels.data);
	r = r ?: chrome_end_args(chrome);
	return r ?: chrome_keep(chrome, KEPT_LABELS, event);
}

static const char *command_of(const struct identity *identity)
{
	return *identity->command_line ? identity->command_line : identity->comm;
}

static int write_ranked_name(struct chrome *chrome, const struct identity *identity,
			     const struct pf_event *event)
{
	char name[sizeof(identity->command_line) + sizeof("rank -2147483648: ")];

	snprintf(name, sizeof(name), "rank %d: %s", identity->rank, command_of(identity));
	return chrome_write_name(chrome, "process_name", event, name);
}

static int append_job(struct text *line, const struct identity *identity)
{
	int r;

	r = args_optional(line, "scheduler", identity->scheduler);
	r = r ?: args_optional(line, "job", identity->job);
	r = r ?: args_optional(line, "step", identity->step);
	if (r == 0 && identity->rank >= 0)
		r = args_signed(line, "rank", identity->rank);
	if (r == 0 && identity->n_ranks >= 0)
		r = args_signed(line, "ranks", identity->n_ranks);
	if (r == 0 && identity->local_rank >= 0)
		r = args_signed(line, "local_rank", identity->local_rank);
	return r;
}

static int write_program(struct chrome *chrome, const struct identity *identity,
			 const struct pf_event *event)
{
	struct text *line = &chrome->line;
	int r;

	r = chrome_begin_line(chrome, "program", PROCESS_CATEGORY, "i", event);
	r = r ?: text_append(line, ",\"s\":\"p\"", 8);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: args_string(line, "command_line", command_of(identity));
	r = r ?: args_optional(line, "exe", identity->exe);
	if (r == 0 && identity->ppid)
		r = args_unsigned(line, "parent", chrome_shown_pid(chrome, identity->ppid));
	if (r == 0 && identity->has_uid)
		r = args_unsigned(line, "uid", identity->uid);
	if (r == 0 && identity->has_uid && chrome->user_name)
		r = args_optional(line, "user", chrome->user_name(chrome->user_opaque, identity->uid));
	r = r ?: args_string(line, "host", chrome->host);
	r = r ?: args_optional(line, "cgroup", identity->cgroup);
	r = r ?: args_optional(line, "container", identity->container);
	r = r ?: append_job(line, identity);
	if (r == 0 && identity->is_partial)
		r = args_bool(line, "partial", true);
	r = r ?: chrome_end_args(chrome);
	return r ?: chrome_keep(chrome, KEPT_PROGRAM, event);
}

int chrome_identity(struct sink *sink, const struct identity *identity)
{
	struct chrome *chrome = (struct chrome *)sink;
	const struct pf_event event = {
		.time_ns = identity->generation, .pid = identity->pid, .tid = identity->pid};
	int r = 0;

	if (identity->rank >= 0) {
		r = write_ranked_name(chrome, identity, &event);
		r = r ?: sort_by_rank(chrome, &event, identity->rank);
	}
	r = r ?: write_labels(chrome, identity, &event);
	return r ?: write_program(chrome, identity, &event);
}

/* How it ended, as waitpid() has it. */
static int append_exit(struct text *line, int32_t code)
{
	const char *name;
	char signal[32];
	int r;

	if (WIFEXITED(code))
		return args_signed(line, "status", WEXITSTATUS(code));
	name = sigabbrev_np(WTERMSIG(code));
	if (name)
		snprintf(signal, sizeof(signal), "SIG%s", name);
	else
		snprintf(signal, sizeof(signal), "signal %d", WTERMSIG(code));
	r = args_string(line, "signal", signal);
	return r < 0 || !WCOREDUMP(code) ? r : args_bool(line, "core_dumped", true);
}

int chrome_process_end(struct sink *sink, const struct pf_process_end *end)
{
	struct chrome *chrome = (struct chrome *)sink;
	struct process *process = hash_find(&chrome->processes, end->event.pid);
	struct text *line = &chrome->line;
	int r;

	r = chrome_abandon_asyncs(chrome, end);
	r = r ?: chrome_begin_line(chrome, "exit", PROCESS_CATEGORY, "i", &end->event);
	r = r ?: text_append(line, ",\"s\":\"p\"", 8);
	r = r ?: chrome_begin_args(chrome);
	r = r ?: append_exit(line, end->exit_code);
	r = r ?: args_key(line, "oncpu_us");
	r = r ?: text_printf(line, "%llu.%03u", (unsigned long long)(end->oncpu_ns / 1000),
			     (unsigned int)(end->oncpu_ns % 1000));
	r = r ?: chrome_end_args(chrome);
	if (process) {
		process->ended = true;
		chrome_forget(process);
	}
	return r;
}

int chrome_thread(struct sink *sink, const struct pf_thread_seen *thread)
{
	return chrome_write_name((struct chrome *)sink, "thread_name", &thread->event,
				 thread->comm);
}

int chrome_fork(struct sink *sink, const struct pf_fork *fork)
{
	struct chrome *chrome = (struct chrome *)sink;
	bool is_process = fork->event.pid != fork->parent_pid;
	struct pf_event at = fork->event;
	uint64_t number = ++chrome->n_arrows;
	int r;

	at.pid = fork->parent_pid;
	at.tid = fork->parent_tid;
	r = chrome_arrow(chrome, is_process ? "fork" : "clone", PROCESS_CATEGORY, &at, number, true,
			 "child", fork->event.tid);
	at = fork->event;
	at.time_ns++; /* an arrow goes forward in time */
	return r ?: chrome_arrow(chrome, is_process ? "forked" : "cloned", PROCESS_CATEGORY,
				 &at, number, false, "parent", fork->parent_tid);
}

/* Above all processes, or viewers show it as "Process 0" somewhere among them. */
int chrome_name_machine(struct chrome *chrome, uint64_t time_ns)
{
	const struct pf_event machine = {.time_ns = time_ns};
	int r;

	if (chrome->has_machine)
		return 0;
	chrome->has_machine = true;
	r = chrome_write_name(chrome, "process_name", &machine, "machine");
	return r ?: write_sort_index(chrome, &machine, -1);
}

bool chrome_is_announced(const struct chrome *chrome, uint32_t pid)
{
	return hash_find(&chrome->processes, pid) != NULL;
}

void chrome_free_processes(struct chrome *chrome)
{
	struct process *process;
	size_t cursor = 0;

	while ((process = hash_next(&chrome->processes, &cursor, NULL))) {
		chrome_forget(process);
		free(process);
	}
	hash_done(&chrome->processes);
}
