/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A session's kernel side as a whole. Loading is in attach_load.c, the probes are in attach_probes.c, and the processes in scope in
 * attach_scope.c.
 */
#include "probe/attach_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>

#include "cpu.h"
#include "probe/counters.h"
#include "probe/features.h"
#include "probe/links.h"
#include "probe/relink.h"
#include "probe/run_context.h"

static unsigned int power_of_two_below(unsigned int n)
{
	while (n & (n - 1))
		n &= n - 1;
	return n ?: 1;
}

/* Devices as the kernel keeps them inside have 20 bits of minor: see MKDEV(). */
static struct attach_file_id file_id(uint32_t dev, uint64_t ino)
{
	return (struct attach_file_id){ .dev = makedev(dev >> 20, dev & 0xfffff), .ino = ino };
}

static int identify(struct attach *attach, const struct binary *binary)
{
	void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, binary->fd, 0);
	uint64_t arguments[] = { binary->fd, (uintptr_t)page };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));
	int r;

	if (page == MAP_FAILED)
		return -errno;
	r = bpf_prog_test_run_opts(bpf_program__fd(attach->bpf->progs.on_identify), &options);
	munmap(page, 1);
	return r;
}

int attach_identify(struct attach *attach, const struct binary *binary, struct attach_identity *ret_identity)
{
	const struct perfflow_bpf__bss *bss = attach->bpf->bss;
	int r;

	r = identify(attach, binary);
	if (r < 0)
		return r;
	ret_identity->opened = file_id(bss->identified_opened_dev, bss->identified_opened_ino);
	ret_identity->mapped = file_id(bss->identified_mapped_dev, bss->identified_mapped_ino);
	return 0;
}

static int set_program(struct attach *attach, const struct binary *program, struct why *why)
{
	int r;

	if (!program)
		return 0;
	r = identify(attach, program);
	if (r < 0)
		return why_set(why, r, "cannot tell which file '%s' is", program->path);
	attach->bpf->bss->scope_exe_ino = attach->bpf->bss->identified_opened_ino;
	attach->bpf->bss->scope_exe_dev = attach->bpf->bss->identified_opened_dev;
	return 0;
}

static void begin_on_cpus(struct attach *attach)
{
	int program = bpf_program__fd(attach->bpf->progs.on_cpu_present);

	for (size_t cpu = 0; cpu < attach->n_cpus; cpu++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

		bpf_prog_test_run_opts(program, &options);
	}
}

static int attach_hooks(struct attach *attach, struct why *why)
{
	struct perfflow_bpf *bpf = attach->bpf;
	const struct {
		struct bpf_program *program;
		struct bpf_link **link;
	} hooks[] = {
		{ bpf->progs.on_wakeup, &bpf->links.on_wakeup }, { bpf->progs.on_waking, &bpf->links.on_waking },
		{ bpf->progs.on_fork, &bpf->links.on_fork },	 { bpf->progs.on_exec, &bpf->links.on_exec },
		{ bpf->progs.on_exit, &bpf->links.on_exit },	 { bpf->progs.on_rename, &bpf->links.on_rename },
		{ bpf->progs.on_stop, &bpf->links.on_stop },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (!bpf_program__autoload(hooks[i].program))
			continue;
		*hooks[i].link = bpf_program__attach(hooks[i].program);
		if (!*hooks[i].link)
			return why_set(why, -errno, "cannot attach to the kernel's scheduler and process events (%s)",
				       bpf_program__name(hooks[i].program));
	}
	begin_on_cpus(attach);
	return 0;
}

/* The dispatcher has it called: at every switch if what it keeps is of the CPUs, and not of those in scope alone. */
static int hook_switches(struct attach *attach, const struct attach_config *config, struct why *why)
{
	struct perfflow_bpf *bpf = attach->bpf;
	int r;

	if (config->with_sched || config->n_hw)
		dispatch_want_all(attach->dispatch);
	if (dispatch_can_call(attach->dispatch)) {
		r = dispatch_begin(attach->dispatch, bpf_program__fd(bpf->progs.on_switch));
	} else {
		bpf->links.on_switch = bpf_program__attach(bpf->progs.on_switch);
		r = bpf->links.on_switch ? 0 : -errno;
	}
	return r < 0 ? why_set(why, r, "cannot hook into the scheduler's switches") : 0;
}

int attach_renew_counters(struct attach *attach)
{
	return counters_renew(attach->counters);
}

int attach_conclude_counters(const struct attach *attach, struct strings *warnings)
{
	return counters_conclude(attach->counters, warnings);
}

/* A descriptor for each probe, or for each counter and CPU, can be more than are usual. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int attach_open(const struct attach_config *config, struct attach **ret_attach, struct why *why)
{
	_cleanup_(attach_closep) struct attach *attach = NULL;
	int n_cpus, r;

	libbpf_set_print(NULL);
	allow_many_files();
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return -ENOMEM;
	n_cpus = libbpf_num_possible_cpus();
	if (n_cpus < 0)
		return why_set(why, n_cpus, "cannot tell the number of CPUs");
	attach->n_cpus = n_cpus;
	attach->n_rings = power_of_two_below(config->n_rings);
	r = features_check_needed(why);
	if (r < 0)
		return r;
	attach->has_multi = feature_is_there(FEATURE_UPROBE_MULTI);
	/* see probe/relink.c */
	attach->has_session = feature_is_there(FEATURE_UPROBE_SESSION) && !config->has_budget;

	attach->bpf = perfflow_bpf__open();
	if (!attach->bpf)
		return why_set(why, -errno, "cannot open perfflow's BPF programs");
	r = dispatch_join(&attach->dispatch, why);
	if (r < 0)
		return r;
	r = attach_load(attach, config, why);
	if (r < 0)
		return r;
	r = config->only ? attach_open_links(attach, why) : 0;
	if (r < 0)
		return r;
	attach->bpf->bss->reads_run_context = attach->has_multi && attach->has_session && run_context_is_right(attach->bpf);
	r = set_program(attach, config->program, why);
	if (r < 0)
		return r;
	r = attach_hooks(attach, why);
	if (r < 0)
		return r;
	r = hook_switches(attach, config, why);
	if (r < 0)
		return r;
	*ret_attach = take_ptr(attach);
	return 0;
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	links_free(take_ptr(attach->per_process));
	relinks_free(attach->relinks);
	ring_buffer__free(attach->changes);
	attach_detach(attach);
	free(attach->links);
	free(attach->events);
	if (attach->cpus)
		munmap(attach->cpus, attach->n_cpus * sizeof(struct pf_cpu));
	for (unsigned int i = 0; attach->ring_fds && i < attach->n_rings; i++)
		closep(&attach->ring_fds[i]);
	free(attach->ring_fds);
	counters_close(attach->counters);
	hash_done(&attach->advices);
	if (attach->bpf)
		perfflow_bpf__detach(attach->bpf);
	dispatch_leave(attach->dispatch); /* nothing marks for it any more */
	perfflow_bpf__destroy(attach->bpf);
	rate_leave(attach->rate);
	free(attach);
}

void attach_arm(struct attach *attach)
{
	__atomic_store_n(&attach->bpf->bss->is_armed, 1, __ATOMIC_RELEASE);
}

/* Programs run under RCU: when a grace period has passed, none that saw the session armed runs any more. */
static void wait_for_programs(void)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(20000);
}

int attach_stop(struct attach *attach)
{
	_cleanup_close_ int sweep = -1;
	char nothing[64];

	__atomic_store_n(&attach->bpf->bss->is_armed, 0, __ATOMIC_RELEASE);
	wait_for_programs();
	sweep = bpf_iter_create(bpf_link__fd(attach->bpf->links.on_stop));
	if (sweep < 0)
		return -errno;
	while (read(sweep, nothing, sizeof(nothing)) > 0)
		;
	return 0;
}

/* As the kernel accounts for what stands behind a descriptor. */
static uint64_t map_bytes(int fd)
{
	_cleanup_(fclosep) FILE *file = NULL;
	unsigned long long n_bytes = 0;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &n_bytes) == 1)
			break;
	return n_bytes;
}

static bool is_shared(const struct attach *attach, const struct bpf_map *map)
{
	const struct perfflow_bpf *bpf = attach->bpf;

	return map == bpf->maps.cpu_clocks || map == bpf->maps.scope_marks || map == bpf->maps.switch_hooks ||
	       map == bpf->maps.records_until_ns;
}

uint64_t attach_bytes(const struct attach *attach)
{
	uint64_t n_bytes = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, attach->bpf->obj)
		n_bytes += is_shared(attach, map) ? 0 : map_bytes(bpf_map__fd(map));
	for (unsigned int i = 0; i < attach->n_rings; i++)
		n_bytes += map_bytes(attach->ring_fds[i]);
	return n_bytes;
}

unsigned int attach_n_rings(const struct attach *attach)
{
	return attach->n_rings;
}

int attach_ring_fd(const struct attach *attach, unsigned int ring)
{
	return attach->ring_fds[ring];
}

int attach_processes_fd(const struct attach *attach)
{
	return bpf_map__fd(attach->bpf->maps.processes);
}

int attach_cpu_clocks_fd(const struct attach *attach)
{
	return dispatch_maps(attach->dispatch).cpu_clocks;
}

size_t attach_n_cpus(const struct attach *attach)
{
	return attach->n_cpus;
}

int attach_hits_fd(const struct attach *attach)
{
	return bpf_map__fd(attach->bpf->maps.hits);
}

int attach_losses_fd(const struct attach *attach)
{
	return bpf_map__fd(attach->bpf->maps.losses);
}

void attach_counters(const struct attach *attach, uint64_t ret_counters[PF_N_COUNTERS])
{
	for (size_t counter = 0; counter < PF_N_COUNTERS; counter++) {
		ret_counters[counter] = 0;
		for (size_t cpu = 0; cpu < attach->n_cpus; cpu++)
			ret_counters[counter] +=
				__atomic_load_n(&attach->cpus[cpu].counters[counter], __ATOMIC_RELAXED);
	}
}

static uint64_t missed_runs_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0 ? info.recursion_misses : 0;
}

uint64_t attach_n_missed_runs(const struct attach *attach)
{
	struct bpf_program *program;
	uint64_t n_missed = dispatch_n_missed_runs(attach->dispatch);

	bpf_object__for_each_program(program, attach->bpf->obj)
	{
		/* where this one is left out, on_switch() makes up for it */
		if (program != attach->bpf->progs.on_exit)
			n_missed += missed_runs_of(program);
	}
	return n_missed;
}
