/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A hardware counter needs a PMU, which many virtual machines have none of; those in software are always there. */
#include "probe/counter.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct counter_kind {
	const char *name, *field;
	uint32_t type;
	uint64_t config;
};

#define CACHE_MISS(cache, operation) \
	((cache) | (operation) << 8 | (uint64_t)PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

static const struct counter_kind kinds[] = {
	{"cycles", "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
	{"cache-references", "cache_references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES},
	{"cache-misses", "cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
	{"branches", "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
	{"branch-misses", "branch_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
	{"stalled-cycles-frontend", "stalled_cycles_frontend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND},
	{"stalled-cycles-backend", "stalled_cycles_backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
	{"ref-cycles", "ref_cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES},
	{"L1-dcache-load-misses", "l1_dcache_load_misses", PERF_TYPE_HW_CACHE,
	 CACHE_MISS(PERF_COUNT_HW_CACHE_L1D, PERF_COUNT_HW_CACHE_OP_READ)},
	{"LLC-load-misses", "llc_load_misses", PERF_TYPE_HW_CACHE,
	 CACHE_MISS(PERF_COUNT_HW_CACHE_LL, PERF_COUNT_HW_CACHE_OP_READ)},
	{"dTLB-load-misses", "dtlb_load_misses", PERF_TYPE_HW_CACHE,
	 CACHE_MISS(PERF_COUNT_HW_CACHE_DTLB, PERF_COUNT_HW_CACHE_OP_READ)},
	{"task-clock", "task_clock_ns", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
	{"page-faults", "page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	{"minor-faults", "minor_page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
	{"major-faults", "major_page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
	{"context-switches", "context_switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES},
	{"cpu-migrations", "cpu_migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS},
	{"alignment-faults", "alignment_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS},
	{"emulation-faults", "emulation_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS},
};

const struct counter_kind *counter_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const char *counter_name(const struct counter_kind *kind)
{
	return kind->name;
}

const char *counter_field(const struct counter_kind *kind)
{
	return kind->field;
}

void counter_list(char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && n < size; i++)
		n += snprintf(text + n, size - n, "%s%s", i > 0 ? ", " : "", kinds[i].name);
}

int counter_open(const struct counter_kind *kind, unsigned int cpu)
{
	struct perf_event_attr attr = {
		.type = kind->type,
		.size = sizeof(attr),
		.config = kind->config,
		.pinned = 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The kernel takes one that is pinned and finds no place for good out of use: its file has ended. */
bool counter_has_place(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) != 0;
}

static int open_anywhere(const struct counter_kind *kind)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);
	int fd = -ENODEV;

	for (long cpu = 0; cpu < n_cpus && fd == -ENODEV; cpu++)
		fd = counter_open(kind, cpu);
	return fd;
}

int counter_try(const struct counter_kind *kind, struct why *why)
{
	_cleanup_close_ int fd = open_anywhere(kind);
	int r = fd;

	if (fd >= 0 && !counter_has_place(fd))
		return why_say(why, -EBUSY, "%s finds no place: this processor counts no more than it does at once, for this "
					    "session and for others", kind->name);
	if (fd >= 0) {
		fd = -1;
		return r;
	}
	if (fd == -EACCES || fd == -EPERM)
		return why_say(why, fd, "no rights to count %s (CAP_PERFMON is needed)", kind->name);
	if (kind->type == PERF_TYPE_SOFTWARE)
		return why_set(why, fd, "cannot count %s", kind->name);
	return why_say(why, fd, "this machine does not count %s: its processor, or the virtual machine, has no such counter",
		       kind->name);
}
