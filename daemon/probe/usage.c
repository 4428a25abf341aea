/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A process's time is what the switch hook has added up, plus the running slice of each CPU that has it just now. CPUs are
 * read through shared memory; the hook's sequence number tells a torn read. A switch between the two readings would have a
 * slice counted twice or not at all: who was concerned by one is read again.
 */
#include "probe/usage.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu.h"
#include "probe/attach_scope.h"
#include "util/now.h"
#include "util/text.h"

struct kept { /* a sample */
	struct usage_sample sample; /* its arrays are of this one block */
	struct kept *next;
	uint64_t values[];
};

struct cpu_pair { /* what the CPUs were before something else was read, and after */
	struct pf_cpu_clock *before, *after;
};

struct usage {
	int processes_fd; /* borrowed */
	const struct pf_cpu_clock *cpus;
	size_t n_cpus;
	struct cpu_pair all, again; /* around the reading of all processes, and of one */
	struct usage_process *processes;
	size_t n_processes;
	uint64_t last_ns; /* when the last sample was taken */
	struct kept *first, *last; /* samples that nobody has asked for */
	struct kept *given;
};

#define BATCH 256
#define MAX_ATTEMPTS 16
#define MAX_SAMPLE_ATTEMPTS 4

static int cpu_pair_new(size_t n, struct cpu_pair *ret_pair)
{
	ret_pair->before = calloc(n, sizeof(*ret_pair->before));
	ret_pair->after = calloc(n, sizeof(*ret_pair->after));
	return ret_pair->before && ret_pair->after ? 0 : -ENOMEM;
}

static void cpu_pair_done(struct cpu_pair *pair)
{
	free(pair->before);
	free(pair->after);
}

int usage_open(const struct attach *attach, struct usage **ret_usage)
{
	_cleanup_(usage_closep) struct usage *usage = NULL;
	void *memory;

	usage = calloc(1, sizeof(*usage));
	if (!usage)
		return -ENOMEM;
	usage->processes_fd = attach_processes_fd(attach);
	usage->n_cpus = attach_n_cpus(attach);
	memory = mmap(NULL, usage->n_cpus * sizeof(struct pf_cpu_clock), PROT_READ, MAP_SHARED, attach_cpu_clocks_fd(attach), 0);
	if (memory == MAP_FAILED)
		return -errno;
	usage->cpus = memory;
	if (cpu_pair_new(usage->n_cpus, &usage->all) < 0 || cpu_pair_new(usage->n_cpus, &usage->again) < 0)
		return -ENOMEM;
	*ret_usage = take_ptr(usage);
	return 0;
}

void usage_close(struct usage *usage)
{
	if (!usage)
		return;
	if (usage->cpus)
		munmap((void *)usage->cpus, usage->n_cpus * sizeof(struct pf_cpu_clock));
	while (usage_next(usage, UINT64_MAX))
		;
	cpu_pair_done(&usage->all);
	cpu_pair_done(&usage->again);
	free(usage->processes);
	free(usage);
}

static void read_cpu(const struct pf_cpu_clock *cpu, struct pf_cpu_clock *ret_cpu)
{
	uint64_t seq;

	for (int attempt = 0; attempt < 100; attempt++) {
		seq = __atomic_load_n(&cpu->seq, __ATOMIC_ACQUIRE);
		memcpy(ret_cpu, cpu, sizeof(*ret_cpu));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && seq == __atomic_load_n(&cpu->seq, __ATOMIC_RELAXED))
			return;
	}
}

static void read_cpus(const struct usage *usage, struct pf_cpu_clock *ret_cpus)
{
	for (size_t i = 0; i < usage->n_cpus; i++)
		read_cpu(&usage->cpus[i], &ret_cpus[i]);
}

/* Of what runs on the CPU just now; 0 if it is not known since when. */
static uint64_t slice_ns(const struct pf_cpu_clock *cpu, uint64_t since_ns, uint64_t now_ns)
{
	uint64_t from_ns = cpu->since_ns > since_ns ? cpu->since_ns : since_ns;

	return cpu->since_ns && now_ns > from_ns ? now_ns - from_ns : 0;
}

/* Whether some task of the process came to a CPU, or left it, between the two readings. */
static bool has_moved(const struct cpu_pair *pair, size_t n_cpus, uint32_t pid)
{
	for (size_t i = 0; i < n_cpus; i++)
		if (pair->after[i].since_ns != pair->before[i].since_ns &&
		    (pair->after[i].tgid == pid || pair->before[i].tgid == pid))
			return true;
	return false;
}

static int add_process(struct usage *usage, uint32_t pid, const struct attach_process *value)
{
	int r = array_grow(&usage->processes, usage->n_processes, sizeof(*usage->processes));

	if (r >= 0)
		usage->processes[usage->n_processes++] = (struct usage_process){ pid, value->oncpu_ns, value->since_ns };
	return r;
}

/* What the hook has added up, without the slices that run. */
static int read_processes(struct usage *usage)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	struct attach_process values[BATCH];
	uint32_t keys[BATCH], n, cursor;
	void *from = NULL;
	int r, end = 0;

	usage->n_processes = 0;
	while (!end) {
		n = BATCH;
		r = bpf_map_lookup_batch(usage->processes_fd, from, &cursor, keys, values, &n, &options);
		end = r < 0;
		if (r < 0 && errno != ENOENT)
			return -errno;
		from = &cursor;
		for (uint32_t i = 0; i < n; i++) {
			r = add_process(usage, keys[i], &values[i]);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static void add_slices(const struct usage *usage, const struct pf_cpu_clock *cpus, uint64_t now_ns, struct usage_process *process)
{
	for (size_t i = 0; i < usage->n_cpus; i++)
		if (cpus[i].tgid == process->pid)
			process->oncpu_ns += slice_ns(&cpus[i], process->since_ns, now_ns);
}

/* Until no switch comes between. One that has ended keeps what it had: its last record has the rest. */
static void read_again(struct usage *usage, uint64_t now_ns, struct usage_process *process)
{
	struct attach_process value;

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		read_cpus(usage, usage->again.before);
		if (bpf_map_lookup_elem(usage->processes_fd, &process->pid, &value) < 0)
			return;
		read_cpus(usage, usage->again.after);
		process->oncpu_ns = value.oncpu_ns;
		if (!has_moved(&usage->again, usage->n_cpus, process->pid))
			break;
	}
	add_slices(usage, usage->again.after, now_ns, process);
}

static void complete_processes(struct usage *usage, uint64_t now_ns)
{
	for (size_t i = 0; i < usage->n_processes; i++) {
		struct usage_process *process = &usage->processes[i];

		if (has_moved(&usage->all, usage->n_cpus, process->pid))
			read_again(usage, now_ns, process);
		else
			add_slices(usage, usage->all.after, now_ns, process);
	}
}

/* One block, which has the arrays as well. */
static struct kept *keep(const struct usage *usage, uint64_t now_ns)
{
	size_t cpu_bytes = usage->n_cpus * sizeof(uint64_t), process_bytes = usage->n_processes * sizeof(struct usage_process);
	struct kept *kept = malloc(sizeof(*kept) + cpu_bytes + process_bytes);
	struct usage_process *processes;
	size_t n_cpus_seen = 0;
	uint64_t *busy_ns;

	if (!kept)
		return NULL;
	busy_ns = kept->values;
	processes = (struct usage_process *)(kept->values + usage->n_cpus);
	for (size_t i = 0; i < usage->n_cpus; i++) {
		const struct pf_cpu_clock *cpu = &usage->all.after[i];

		busy_ns[i] = cpu->busy_ns + (cpu->pid ? slice_ns(cpu, 0, now_ns) : 0);
		n_cpus_seen += cpu->since_ns != 0;
	}
	if (process_bytes)
		memcpy(processes, usage->processes, process_bytes);
	kept->next = NULL;
	kept->sample = (struct usage_sample){ now_ns, busy_ns, usage->n_cpus, n_cpus_seen, processes, usage->n_processes };
	return kept;
}

/* As of *ret_now_ns, but for what was read before that or after it: *ret_error_ns bounds by how much it may be off. */
static int read_all(struct usage *usage, uint64_t *ret_now_ns, uint64_t *ret_error_ns)
{
	uint64_t begin_ns;
	int r;

	read_cpus(usage, usage->all.before);
	r = read_processes(usage);
	if (r < 0)
		return r;
	begin_ns = clock_now_ns(CLOCK_BOOTTIME);
	read_cpus(usage, usage->all.after);
	*ret_now_ns = clock_now_ns(CLOCK_BOOTTIME);
	complete_processes(usage, *ret_now_ns);
	*ret_error_ns = clock_now_ns(CLOCK_BOOTTIME) - begin_ns;
	return 0;
}

int usage_take(struct usage *usage)
{
	uint64_t last_ns = usage->last_ns, now_ns, error_ns;
	struct kept *kept;
	int r;

	/* The reader itself may lose its CPU between two readings. */
	for (int attempt = 0; attempt < MAX_SAMPLE_ATTEMPTS; attempt++) {
		r = read_all(usage, &now_ns, &error_ns);
		if (r < 0)
			return r;
		if (error_ns <= (now_ns - last_ns) / 100)
			break;
	}
	usage->last_ns = now_ns;
	kept = keep(usage, now_ns);
	if (!kept)
		return -ENOMEM;
	if (usage->last)
		usage->last->next = kept;
	else
		usage->first = kept;
	usage->last = kept;
	return 0;
}

const struct usage_sample *usage_next(struct usage *usage, uint64_t before_ns)
{
	free(take_ptr(usage->given));
	if (!usage->first || usage->first->sample.time_ns >= before_ns)
		return NULL;
	usage->given = usage->first;
	usage->first = usage->given->next;
	if (!usage->first)
		usage->last = NULL;
	return &usage->given->sample;
}
