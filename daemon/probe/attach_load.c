/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Loading fixes the sizes of the maps and the settings that the programs are translated with, so both come from the session's
 * configuration before; what the maps hold comes after.
 */
#include "probe/attach_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>

#include "cpu.h"
#include "probe/counters.h"
#include "probe/features.h"
#include "probe/link.h"

#define MIN_SLOTS 1024 /* threads that can have arguments or metrics under way at once, and */
#define SLOTS_PER_CPU 64
#define MAX_SLOTS 2048
#define MIN_PLACES 64 /* threads whose state a probe finds without a call, and */
#define PLACES_PER_CPU 4
#define MAX_PLACES 1024
#define MIN_HITS 4096 /* functions of threads whose hits are counted at once, and */
#define HITS_PER_CPU 256
#define HITS_PER_CPU_BUDGET 1024 /* under a budget more are looked at */
#define MAX_LIMITS 16384 /* functions that are or were limited */
#define CHANGES_BYTES (512 << 10)

static uint32_t n_slots_for(const struct attach *attach, const struct attach_config *config)
{
	size_t n = MIN_SLOTS + SLOTS_PER_CPU * attach->n_cpus;

	if (!config->has_items && !config->metrics)
		return 1;
	return n < MAX_SLOTS ? n : MAX_SLOTS;
}

static uint32_t n_places_for(const struct attach *attach)
{
	size_t n = MIN_PLACES + PLACES_PER_CPU * attach->n_cpus;

	if (!feature_is_there(FEATURE_CURRENT_TASK))
		return 1;
	return n < MAX_PLACES ? n : MAX_PLACES;
}

/* Of a table that forgets what was not used for long each CPU has a share of its own. */
static uint32_t n_hits_for(const struct attach *attach, const struct attach_config *config)
{
	uint32_t n = attach->n_cpus * (config->has_budget ? HITS_PER_CPU_BUDGET : HITS_PER_CPU);

	return n > MIN_HITS ? n : MIN_HITS;
}

static void restrict_to_user(struct perfflow_bpf *bpf, const struct attach_user *only)
{
	if (!only)
		return;
	bpf->rodata->only_one_user = 1;
	bpf->rodata->only_uid = only->uid;
	bpf->rodata->only_gid = only->gid;
	if (!only->max_records_per_s)
		return;
	bpf->rodata->record_ns = 1000000000 / only->max_records_per_s ?: 1;
	bpf->rodata->record_burst_ns = 1000000000;
}

static int share_maps(struct attach *attach, const struct attach_user *only)
{
	struct dispatch_maps maps = dispatch_maps(attach->dispatch);
	int r;

	r = bpf_map__reuse_fd(attach->bpf->maps.cpu_clocks, maps.cpu_clocks);
	if (r < 0)
		return r;
	r = bpf_map__reuse_fd(attach->bpf->maps.scope_marks, maps.scope_marks);
	if (r < 0)
		return r;
	r = bpf_map__reuse_fd(attach->bpf->maps.switch_hooks, maps.switch_hooks);
	if (r < 0 || !only || !only->max_records_per_s)
		return r;
	r = rate_join(only->uid, &attach->rate);
	return r < 0 ? r : bpf_map__reuse_fd(attach->bpf->maps.records_until_ns, rate_fd(attach->rate));
}

static int set_sizes(struct attach *attach, const struct attach_config *config)
{
	struct perfflow_bpf *bpf = attach->bpf;
	const struct {
		struct bpf_map *map;
		uint32_t n;
	} sizes[] = {
		{ bpf->maps.rings, attach->n_rings },
		{ bpf->maps.processes, config->max_processes },
		{ bpf->maps.verdicts, config->max_processes },
		{ bpf->maps.cpus, attach->n_cpus },
		{ bpf->maps.hw_bases, attach->n_cpus },
		{ bpf->maps.slots, n_slots_for(attach, config) },
		{ bpf->maps.free_slots, n_slots_for(attach, config) },
		{ bpf->maps.places, n_places_for(attach) },
		{ bpf->maps.free_places, n_places_for(attach) },
		{ bpf->maps.hw_counters, (config->n_hw ?: 1) * attach->n_cpus },
		{ bpf->maps.hits, n_hits_for(attach, config) },
		{ bpf->maps.limits, config->has_budget ? MAX_LIMITS : 1 },
		{ bpf->maps.changes, config->only ? CHANGES_BYTES : sysconf(_SC_PAGESIZE) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int r = bpf_map__set_max_entries(sizes[i].map, sizes[i].n);

		if (r < 0)
			return r;
	}
	bpf->rodata->n_cpus = attach->n_cpus;
	bpf->rodata->page_bytes = sysconf(_SC_PAGESIZE);
	bpf->rodata->has_advices = config->has_advices;
	bpf->rodata->metrics_mask = config->metrics;
	bpf->rodata->metrics_by_process = config->metrics_by_process;
	bpf->rodata->n_hw = config->n_hw;
	bpf->rodata->with_sched = config->with_sched;
	bpf->rodata->session_bit = dispatch_bit(attach->dispatch);
	bpf->rodata->tells_next = dispatch_can_call(attach->dispatch);
	bpf->rodata->by_run_delay = !config->with_sched && feature_is_there(FEATURE_RUN_DELAY);
	bpf->rodata->has_places = feature_is_there(FEATURE_CURRENT_TASK);
	bpf->rodata->has_budget = config->has_budget;
	bpf->rodata->ring_mask = attach->n_rings - 1;
	bpf->rodata->wakeup_bytes = config->ring_bytes / 4;
	bpf->rodata->scope_is_all = config->scope_is_all;
	restrict_to_user(bpf, config->only);
	return 0;
}

static void set_multi(struct bpf_program *program)
{
	bpf_program__set_expected_attach_type(program, LINK_UPROBE_MULTI);
}

/* Programs that this kernel has no use for are not loaded. */
static void choose_programs(struct attach *attach)
{
	struct perfflow_bpf *bpf = attach->bpf;

	bpf_program__set_autoload(bpf->progs.on_call, attach->has_session);
	bpf_program__set_autoload(bpf->progs.on_waking, bpf->rodata->with_sched);
	bpf_program__set_autoload(bpf->progs.on_wakeup, !bpf->rodata->by_run_delay);
	bpf_program__set_autoload(bpf->progs.on_return, !attach->has_session);
	bpf_program__set_autoload(bpf->progs.on_touch, attach->has_multi); /* kernels that have it let programs wait, too */
	bpf_program__set_autoload(bpf->progs.on_check, attach->has_session);
	if (attach->has_session) {
		bpf_program__set_expected_attach_type(bpf->progs.on_call, LINK_UPROBE_SESSION);
		bpf_program__set_expected_attach_type(bpf->progs.on_check, LINK_UPROBE_SESSION);
	}
	if (!attach->has_multi)
		return;
	set_multi(bpf->progs.on_entry);
	set_multi(bpf->progs.on_return);
	set_multi(bpf->progs.on_exit_site);
	set_multi(bpf->progs.on_touch);
}

static int make_rings(struct attach *attach, size_t ring_bytes)
{
	int outer = bpf_map__fd(attach->bpf->maps.rings);

	attach->ring_fds = malloc(attach->n_rings * sizeof(*attach->ring_fds));
	if (!attach->ring_fds)
		return -ENOMEM;
	for (unsigned int i = 0; i < attach->n_rings; i++)
		attach->ring_fds[i] = -1;
	for (uint32_t i = 0; i < attach->n_rings; i++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "pf_ring", 0, 0, ring_bytes, NULL);

		if (fd < 0)
			return -errno;
		attach->ring_fds[i] = fd;
		if (bpf_map_update_elem(outer, &i, &fd, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

/* With the numbers of all that there are. */
static int fill(struct bpf_map *map)
{
	for (uint32_t i = bpf_map__max_entries(map); i-- > 0;)
		if (bpf_map_update_elem(bpf_map__fd(map), NULL, &i, BPF_ANY) < 0)
			return -errno;
	return 0;
}

/* What is left of the table of losses when it is full: one by reason alone. */
static int prepare_losses(struct attach *attach)
{
	const struct pf_loss nothing = { 0 };

	for (uint32_t counter = 0; counter < PF_N_COUNTERS; counter++) {
		struct pf_loss_key key = { .counter = counter };

		if (bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.losses), &key, &nothing, BPF_NOEXIST) < 0)
			return -errno;
	}
	return 0;
}

static int map_cpus(struct attach *attach)
{
	void *memory = mmap(NULL, attach->n_cpus * sizeof(struct pf_cpu), PROT_READ, MAP_SHARED,
			    bpf_map__fd(attach->bpf->maps.cpus), 0);

	if (memory == MAP_FAILED)
		return -errno;
	attach->cpus = memory;
	return 0;
}

int attach_load(struct attach *attach, const struct attach_config *config, struct why *why)
{
	int r;

	r = set_sizes(attach, config);
	if (r < 0)
		return why_set(why, r, "cannot size the kernel side");
	r = share_maps(attach, config->only);
	if (r < 0)
		return why_set(why, r, "cannot share what the kernel side keeps for several sessions");
	choose_programs(attach);
	r = features_load_error(perfflow_bpf__load(attach->bpf));
	if (r == -EPERM)
		return why_say(why, r, "no rights to load BPF programs (CAP_BPF and CAP_PERFMON are needed)");
	if (r == -EMFILE || r == -ENFILE)
		return why_set(why, r, "cannot load perfflow's BPF programs");
	if (r < 0)
		return why_set(why, r, "the kernel does not take perfflow's BPF programs (Linux 5.15 with BTF is needed)");
	r = make_rings(attach, config->ring_bytes);
	if (r < 0)
		return why_set(why, r, "cannot make %u ring buffers of %zu bytes", attach->n_rings, config->ring_bytes);
	r = map_cpus(attach);
	if (r < 0)
		return why_set(why, r, "cannot map the kernel side's counters");
	r = fill(attach->bpf->maps.free_slots);
	if (r >= 0)
		r = fill(attach->bpf->maps.free_places);
	if (r < 0)
		return why_set(why, r, "cannot set up the kernel side's records");
	r = prepare_losses(attach);
	if (r < 0)
		return why_set(why, r, "cannot set up the kernel side's ledger");
	if (config->has_budget && attach->has_multi) {
		r = attach_open_relinks(attach);
		if (r < 0)
			return r;
	}
	return counters_open(config->hw, config->n_hw, attach->n_cpus, bpf_map__fd(attach->bpf->maps.hw_counters), &attach->counters,
			     why);
}
