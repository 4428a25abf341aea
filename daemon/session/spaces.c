/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A process is a list of changes in order of time. From the moment of a question it is walked back:
 * the first mapping that has the address is the answer. Behind an exec there is none; behind the
 * birth of a process its parent's list goes on from that moment. So a child that lives for a
 * millisecond and maps nothing costs one entry, and nothing is ever copied.
 *
 * That something was unmapped is not told; what is mapped in its place is.
 *
 * Stacks are much alike: the last answers are kept, by process and page, until anything changes
 * anywhere.
 */
#include "session/spaces.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "binary/process.h"
#include "binary/sorted.h"
#include "util/hash.h"
#include "util/now.h"

#define MAX_PROCESSES 32768
#define MAX_CHANGES   8192 /* of one process; beyond, /proc is asked for the older half */
#define MAX_ANCESTORS 64
#define N_ANSWERS     4096
#define PAGE_BITS     12
#define READ_NS	      1000000000ULL  /* /proc is not asked again earlier */
#define KEEP_NS	      10000000000ULL /* what was before an exec may still be asked for */

struct change {
	uint64_t time_ns;
	enum mapping_kind kind;
	bool was_read; /* from /proc: as old as its program, for all that is known */
	pid_t parent;
	uint64_t start, end, offset;
	struct module *module;
};

struct process {
	pid_t pid;
	bool is_gone;		/* it was when the table was swept */
	uint64_t read_ns;	/* when /proc was read, or 0 */
	struct change *changes; /* by time */
	size_t n_changes;
};

struct answer {
	uint64_t n_changes; /* when it was given, of struct spaces */
	uint64_t since_ns;  /* it holds for questions about that time and later */
	pid_t pid;
	uint64_t page, start, offset; /* of the mapping, as in struct change */
	struct module *module;
};

struct spaces {
	struct modules *modules;
	struct hash processes; /* pid -> struct process */
	uint64_t n_changes;    /* that ever were, and that were dropped */
	struct answer answers[N_ANSWERS];
};

int spaces_new(struct modules *modules, struct spaces **ret_spaces)
{
	*ret_spaces = calloc(1, sizeof(**ret_spaces));
	if (!*ret_spaces)
		return -ENOMEM;
	(*ret_spaces)->modules = modules;
	(*ret_spaces)->n_changes = 1; /* so that what is zeroed is no answer */
	return 0;
}

static void process_free(struct process *process)
{
	free(process->changes);
	free(process);
}

void spaces_free(struct spaces *spaces)
{
	struct process *process;
	size_t cursor = 0;

	if (!spaces)
		return;
	while ((process = hash_next(&spaces->processes, &cursor, NULL)))
		process_free(process);
	hash_done(&spaces->processes);
	free(spaces);
}

static int find_process(struct spaces *spaces, pid_t pid, struct process **ret_process)
{
	struct process *process = hash_find(&spaces->processes, pid);

	if (!process) {
		if (spaces->processes.n_values == MAX_PROCESSES)
			return -E2BIG;
		process = calloc(1, sizeof(*process));
		if (!process)
			return -ENOMEM;
		process->pid = pid;
		if (hash_put(&spaces->processes, pid, process) < 0) {
			free(process);
			return -ENOMEM;
		}
	}
	process->is_gone = false;
	*ret_process = process;
	return 0;
}

/* Where nothing that was mapped earlier is in effect any more by itself. */
static bool is_beginning(const struct change *change)
{
	return change->kind == MAPPING_EXEC || change->kind == MAPPING_FORK;
}

/* The beginning that a number of changes ends with, in the end; NULL if it was before them all. */
static const struct change *beginning(const struct process *process, size_t n)
{
	while (n--)
		if (is_beginning(&process->changes[n]))
			return &process->changes[n];
	return NULL;
}

static pid_t parent_of(const struct process *process)
{
	for (size_t n = process->n_changes; n--;)
		if (process->changes[n].kind == MAPPING_FORK)
			return process->changes[n].parent;
	return 0;
}

static bool overlap(const struct change *a, const struct change *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Programs that write code switch the same pages back and forth between writing and executing. */
static bool is_known(const struct process *process, size_t at, const struct change *change)
{
	while (at-- && !is_beginning(&process->changes[at])) {
		const struct change *earlier = &process->changes[at];

		if (overlap(earlier, change))
			return earlier->start == change->start && earlier->end == change->end &&
			       earlier->offset == change->offset &&
			       earlier->module == change->module;
	}
	return false;
}

static void drop_first(struct process *process, size_t n)
{
	process->n_changes -= n;
	memmove(process->changes, process->changes + n,
		process->n_changes * sizeof(*process->changes));
}

static int add_change(struct process *process, const struct change *change)
{
	size_t at = sorted_until(process->changes, process->n_changes, time_ns, change->time_ns);
	int r;

	if (!is_beginning(change) && is_known(process, at, change))
		return 0;
	r = array_grow(&process->changes, process->n_changes, sizeof(*change));
	if (r < 0)
		return r;
	memmove(process->changes + at + 1, process->changes + at,
		(process->n_changes - at) * sizeof(*change));
	process->changes[at] = *change;
	process->n_changes++;
	if (process->n_changes == MAX_CHANGES)
		drop_first(process, MAX_CHANGES / 2);
	return 0;
}

static int find_file(struct spaces *spaces, const struct process *process,
		     const struct mapping *mapping, struct module **ret_module)
{
	const struct module_file file = {
		.dev = mapping->dev,
		.ino = mapping->ino,
		.generation = mapping->generation,
		.path = mapping->path,
		.pid = process->pid,
		.parent = parent_of(process),
		.start = mapping->address,
		.end = mapping->address + mapping->length,
	};

	return modules_file(spaces->modules, &file, ret_module);
}

/* What the mapping is of, and the rest of the change. */
static int describe(struct spaces *spaces, const struct process *process,
		    const struct mapping *mapping, struct change *change)
{
	if (is_beginning(change))
		return 0;
	change->start = mapping->address;
	change->end = mapping->address + mapping->length;
	if (mapping->kind == MAPPING_MEMORY)
		return modules_memory(spaces->modules, mapping->path, &change->module);
	change->offset = mapping->offset;
	return find_file(spaces, process, mapping, &change->module);
}

static int note(struct spaces *spaces, struct process *process, const struct mapping *mapping,
		bool was_read)
{
	struct change change = {
		.time_ns = mapping->time_ns,
		.kind = mapping->kind,
		.was_read = was_read,
		.parent = mapping->parent,
	};
	int r;

	r = describe(spaces, process, mapping, &change);
	spaces->n_changes++;
	return r < 0 ? r : add_change(process, &change);
}

int spaces_note(struct spaces *spaces, const struct mapping *mapping)
{
	struct process *process;
	int r;

	r = find_process(spaces, mapping->pid, &process);
	return r < 0 ? r : note(spaces, process, mapping, false);
}

struct reading {
	struct spaces *spaces;
	struct process *process;
	uint64_t time_ns; /* since when what is found is taken to be there */
};

static int on_mapped(const struct process_mapping *mapped, void *userdata)
{
	const struct reading *reading = userdata;
	const struct mapping mapping = {
		.kind = mapped->ino && mapped->path[0] == '/' ? MAPPING_FILE : MAPPING_MEMORY,
		.time_ns = reading->time_ns,
		.pid = reading->process->pid,
		.address = mapped->start,
		.length = mapped->end - mapped->start,
		.offset = mapped->offset,
		.dev = mapped->dev,
		.ino = mapped->ino,
		.path = mapped->path,
	};

	return note(reading->spaces, reading->process, &mapping, true);
}

static void drop_what_was_read(struct process *process)
{
	size_t n = 0;

	for (size_t i = 0; i < process->n_changes; i++)
		if (!process->changes[i].was_read)
			process->changes[n++] = process->changes[i];
	process->n_changes = n;
}

int spaces_read(struct spaces *spaces, pid_t pid)
{
	const struct change *begin;
	struct process *process;
	struct reading reading;
	int r;

	r = find_process(spaces, pid, &process);
	if (r < 0)
		return r;
	drop_what_was_read(process);
	spaces->n_changes++;
	process->read_ns = clock_now_ns(CLOCK_BOOTTIME);
	begin = beginning(process, process->n_changes);
	reading = (struct reading){spaces, process, begin ? begin->time_ns : 0};
	return process_mappings(pid, on_mapped, &reading);
}

/* Without asking /proc. */
static const struct change *find_known(const struct spaces *spaces, pid_t pid, uint64_t time_ns,
				       uint64_t address)
{
	for (int generation = 0; generation < MAX_ANCESTORS; generation++) {
		const struct process *process = hash_find(&spaces->processes, pid);
		size_t n = process ? sorted_until(process->changes, process->n_changes, time_ns,
						  time_ns)
				   : 0;
		const struct change *change = NULL;

		while (n--) {
			change = &process->changes[n];
			if (is_beginning(change) ||
			    (address >= change->start && address < change->end))
				break;
			change = NULL;
		}
		if (!change || change->kind == MAPPING_EXEC)
			return NULL;
		if (change->kind != MAPPING_FORK)
			return change;
		pid = change->parent;
		time_ns = change->time_ns;
	}
	return NULL;
}

/* Whether /proc can tell more of that time than is known: then it was read. */
static bool read_again(struct spaces *spaces, pid_t pid, uint64_t time_ns)
{
	const struct change *begin;
	struct process *process;

	if (find_process(spaces, pid, &process) < 0)
		return false;
	begin = beginning(process, process->n_changes);
	if (begin && begin->time_ns > time_ns)
		return false;
	if (process->read_ns &&
	    (time_ns <= process->read_ns || clock_now_ns(CLOCK_BOOTTIME) - process->read_ns < READ_NS))
		return false;
	return spaces_read(spaces, pid) == 0;
}

/* Where the answer is, or is to be. */
static struct answer *answer_of(struct spaces *spaces, pid_t pid, uint64_t address)
{
	uint64_t question[] = {pid, address >> PAGE_BITS};

	return &spaces->answers[hash_bytes(question, sizeof(question)) % N_ANSWERS];
}

static bool answers(const struct spaces *spaces, const struct answer *answer, pid_t pid,
		    uint64_t time_ns, uint64_t address)
{
	return answer->n_changes == spaces->n_changes && answer->pid == pid &&
	       answer->page == address >> PAGE_BITS && time_ns >= answer->since_ns;
}

/* Only what is true still is worth it. */
static void keep_answer(const struct spaces *spaces, const struct change *change, pid_t pid,
			uint64_t time_ns, uint64_t address, struct answer *answer)
{
	const struct process *process = hash_find(&spaces->processes, pid);
	uint64_t since_ns = process->changes[process->n_changes - 1].time_ns;

	if (time_ns < since_ns)
		return;
	*answer = (struct answer){
		.n_changes = spaces->n_changes,
		.since_ns = since_ns,
		.pid = pid,
		.page = address >> PAGE_BITS,
		.start = change->start,
		.offset = change->offset,
		.module = change->module,
	};
}

static bool find(struct spaces *spaces, pid_t pid, uint64_t time_ns, uint64_t address,
		 bool may_read, struct place *ret_place)
{
	struct answer *answer = answer_of(spaces, pid, address);
	const struct change *change;

	if (answers(spaces, answer, pid, time_ns, address)) {
		*ret_place =
			(struct place){answer->module, address - answer->start + answer->offset};
		return true;
	}
	change = find_known(spaces, pid, time_ns, address);
	if (!change && may_read && read_again(spaces, pid, time_ns))
		change = find_known(spaces, pid, time_ns, address);
	if (!change)
		return false;
	keep_answer(spaces, change, pid, time_ns, address, answer);
	*ret_place = (struct place){change->module, address - change->start + change->offset};
	return true;
}

bool spaces_find_known(struct spaces *spaces, pid_t pid, uint64_t time_ns, uint64_t address,
		       struct place *ret_place)
{
	return find(spaces, pid, time_ns, address, false, ret_place);
}

bool spaces_find(struct spaces *spaces, pid_t pid, uint64_t time_ns, uint64_t address,
		 struct place *ret_place)
{
	return find(spaces, pid, time_ns, address, true, ret_place);
}

static void forget_earlier_programs(struct process *process, uint64_t before_ns)
{
	const struct change *begin = beginning(
		process, sorted_until(process->changes, process->n_changes, time_ns, before_ns));

	if (begin)
		drop_first(process, begin - process->changes);
}

void spaces_sweep(struct spaces *spaces)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	struct process *process;
	size_t cursor = 0;

	spaces->n_changes++;
	while ((process = hash_next(&spaces->processes, &cursor, NULL))) {
		bool is_gone = kill(process->pid, 0) < 0 && errno == ESRCH;

		if (is_gone && process->is_gone) {
			hash_remove(&spaces->processes, process->pid);
			process_free(process);
			continue;
		}
		process->is_gone = is_gone;
		forget_earlier_programs(process, now_ns - KEEP_NS);
	}
}
