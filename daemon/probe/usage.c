/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A process's time is what the switch hook has added up, plus the running slice of each CPU that has it just now. CPUs are
 * read through shared memory; the hook's sequence number tells a torn read.
 */
#include "probe/usage.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu.h"
#include "util/text.h"

struct process_value { /* struct pf_process of thread.bpf.h */
	uint64_t oncpu_ns;
	uint32_t is_named, reserved;
};

struct usage {
	int processes_fd; /* borrowed */
	const struct pf_cpu *cpus;
	struct pf_cpu *now; /* what they were at the last read */
	size_t n_cpus;
	struct usage_process *processes;
	size_t n_processes;
};

#define BATCH 256

int usage_open(const struct attach *attach, struct usage **ret_usage)
{
	_cleanup_(usage_closep) struct usage *usage = NULL;
	void *memory;

	usage = calloc(1, sizeof(*usage));
	if (!usage)
		return -ENOMEM;
	usage->processes_fd = attach_processes_fd(attach);
	usage->n_cpus = attach_n_cpus(attach);
	memory = mmap(NULL, usage->n_cpus * sizeof(struct pf_cpu), PROT_READ, MAP_SHARED, attach_cpus_fd(attach), 0);
	if (memory == MAP_FAILED)
		return -errno;
	usage->cpus = memory;
	usage->now = calloc(usage->n_cpus, sizeof(*usage->now));
	if (!usage->now)
		return -ENOMEM;
	*ret_usage = take_ptr(usage);
	return 0;
}

void usage_close(struct usage *usage)
{
	if (!usage)
		return;
	if (usage->cpus)
		munmap((void *)usage->cpus, usage->n_cpus * sizeof(struct pf_cpu));
	free(usage->now);
	free(usage->processes);
	free(usage);
}

static void read_cpu(const struct pf_cpu *cpu, struct pf_cpu *ret_cpu)
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

static uint64_t slice_ns(const struct pf_cpu *cpu, uint64_t now_ns)
{
	return cpu->since_ns && now_ns > cpu->since_ns ? now_ns - cpu->since_ns : 0;
}

static int add_process(struct usage *usage, uint32_t pid, uint64_t oncpu_ns, uint64_t now_ns)
{
	int r = array_grow(&usage->processes, usage->n_processes, sizeof(*usage->processes));

	if (r < 0)
		return r;
	for (size_t i = 0; i < usage->n_cpus; i++)
		if (usage->now[i].tgid == pid)
			oncpu_ns += slice_ns(&usage->now[i], now_ns);
	usage->processes[usage->n_processes++] = (struct usage_process){ pid, oncpu_ns };
	return 0;
}

static int read_processes(struct usage *usage, uint64_t now_ns)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	struct process_value values[BATCH];
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
			r = add_process(usage, keys[i], values[i].oncpu_ns, now_ns);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int usage_read(struct usage *usage, uint64_t now_ns, uint64_t *ret_busy_ns, const struct usage_process **ret_processes,
	       size_t *ret_n)
{
	uint64_t busy_ns = 0;
	int r;

	for (size_t i = 0; i < usage->n_cpus; i++) {
		read_cpu(&usage->cpus[i], &usage->now[i]);
		busy_ns += usage->now[i].busy_ns;
		if (usage->now[i].pid)
			busy_ns += slice_ns(&usage->now[i], now_ns);
	}
	r = read_processes(usage, now_ns);
	if (r < 0)
		return r;
	*ret_busy_ns = busy_ns;
	*ret_processes = usage->processes;
	*ret_n = usage->n_processes;
	return 0;
}
