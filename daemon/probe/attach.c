/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The only file that includes the BPF skeleton.
 *
 * With session links a binary's functions are one link, whatever their number; with uprobe_multi two, one for entries and
 * one for returns. Without either each probe is a perf event of its own. Both reach the file through /proc/self/fd/N, so that the file that was
 * analysed is the one that is probed.
 */
#include "probe/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>

#include "perfflow.skel.h"
#include "cpu.h"
#include "probe/background.h"
#include "probe/features.h"
#include "probe/link.h"
#include "util/text.h"

#define MIN_IN_BACKGROUND 4 /* perf events: less are waited for */

struct attach {
	struct perfflow_bpf *bpf;
	bool has_multi, has_session; /* see FEATURE_UPROBE_MULTI, FEATURE_UPROBE_SESSION */
	int *ring_fds; /* owned */
	unsigned int n_rings;
	size_t n_cpus;
	struct pf_cpu *cpus; /* shared with the kernel */
	int *links; /* of uprobes, each a descriptor for many */
	size_t n_links;
	struct bpf_link **events; /* the same, each a perf event for one */
	size_t n_events;
};

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* What one link or a series of perf events is made from. */
struct targets {
	char path[64];
	unsigned long *offsets;
	uint64_t *cookies;
	uint64_t *semaphores; /* of static probes, else 0 */
	size_t n;
};

static unsigned int power_of_two_below(unsigned int n)
{
	while (n & (n - 1))
		n &= n - 1;
	return n ?: 1;
}

static int set_sizes(struct attach *attach, const struct attach_config *config)
{
	struct perfflow_bpf *bpf = attach->bpf;
	int r;

	r = bpf_map__set_max_entries(bpf->maps.rings, attach->n_rings);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(bpf->maps.processes, config->max_processes);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(bpf->maps.cpus, attach->n_cpus);
	if (r < 0)
		return r;
	bpf->rodata->ring_mask = attach->n_rings - 1;
	bpf->rodata->wakeup_bytes = config->ring_bytes / 4;
	bpf->rodata->scope_is_all = config->scope_is_all;
	bpf->rodata->scope_exe_ino = config->exe_ino;
	/* as the kernel keeps it inside: 20 bits of minor, see MKDEV() */
	bpf->rodata->scope_exe_dev = major(config->exe_dev) << 20 | minor(config->exe_dev);
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
	bpf_program__set_autoload(bpf->progs.on_return, !attach->has_session);
	if (attach->has_session)
		bpf_program__set_expected_attach_type(bpf->progs.on_call, LINK_UPROBE_SESSION);
	if (!attach->has_multi)
		return;
	set_multi(bpf->progs.on_entry);
	set_multi(bpf->progs.on_return);
	set_multi(bpf->progs.on_exit_site);
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

static int map_cpus(struct attach *attach)
{
	void *memory = mmap(NULL, attach->n_cpus * sizeof(struct pf_cpu), PROT_READ, MAP_SHARED,
			    bpf_map__fd(attach->bpf->maps.cpus), 0);

	if (memory == MAP_FAILED)
		return -errno;
	attach->cpus = memory;
	return 0;
}

static int load(struct attach *attach, const struct attach_config *config, struct why *why)
{
	int r;

	r = set_sizes(attach, config);
	if (r < 0)
		return why_set(why, r, "cannot size the kernel side");
	choose_programs(attach);
	r = perfflow_bpf__load(attach->bpf);
	if (r == -EPERM)
		return why_say(why, r, "no rights to load BPF programs (CAP_BPF and CAP_PERFMON are needed)");
	if (r < 0)
		return why_set(why, r, "the kernel does not take perfflow's BPF programs (Linux 5.15 with BTF is needed)");
	r = make_rings(attach, config->ring_bytes);
	if (r < 0)
		return why_set(why, r, "cannot make %u ring buffers of %zu bytes", attach->n_rings, config->ring_bytes);
	r = map_cpus(attach);
	if (r < 0)
		return why_set(why, r, "cannot map the kernel side's counters");
	return 0;
}

/* Notes who has each CPU as the session begins. One that is offline has nobody. */
static void note_present_tasks(struct attach *attach)
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
		{ bpf->progs.on_switch, &bpf->links.on_switch }, { bpf->progs.on_wakeup, &bpf->links.on_wakeup },
		{ bpf->progs.on_fork, &bpf->links.on_fork },	 { bpf->progs.on_exec, &bpf->links.on_exec },
		{ bpf->progs.on_exit, &bpf->links.on_exit },	 { bpf->progs.on_exit_again, &bpf->links.on_exit_again },
		{ bpf->progs.on_rename, &bpf->links.on_rename }, { bpf->progs.on_stop, &bpf->links.on_stop },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		*hooks[i].link = bpf_program__attach(hooks[i].program);
		if (!*hooks[i].link)
			return why_set(why, -errno, "cannot attach to the kernel's scheduler and process events (%s)",
				       bpf_program__name(hooks[i].program));
	}
	note_present_tasks(attach);
	return 0;
}

int attach_open(const struct attach_config *config, struct attach **ret_attach, struct why *why)
{
	_cleanup_(attach_closep) struct attach *attach = NULL;
	int n_cpus, r;

	libbpf_set_print(print_nothing);
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
	attach->has_session = feature_is_there(FEATURE_UPROBE_SESSION);

	attach->bpf = perfflow_bpf__open();
	if (!attach->bpf)
		return why_set(why, -errno, "cannot open perfflow's BPF programs");
	r = load(attach, config, why);
	if (r < 0)
		return r;
	r = attach_hooks(attach, why);
	if (r < 0)
		return r;
	*ret_attach = take_ptr(attach);
	return 0;
}

/* Returns what to close when the events are closed, or -1: then they are few, or it cannot be helped. */
static int hold_in_background(const struct attach *attach, size_t first_event)
{
	size_t n = attach->n_events - first_event;
	_cleanup_free_ int *fds = NULL;

	if (n < MIN_IN_BACKGROUND)
		return -1;
	fds = malloc(n * sizeof(*fds));
	if (!fds)
		return -1;
	for (size_t i = 0; i < n; i++)
		fds[i] = bpf_link__fd(attach->events[first_event + i]);
	return background_hold(fds, n);
}

static void detach_down_to(struct attach *attach, size_t n_links, size_t n_events)
{
	_cleanup_close_ int background = hold_in_background(attach, n_events);

	while (attach->n_links > n_links)
		close(attach->links[--attach->n_links]);
	while (attach->n_events > n_events)
		bpf_link__destroy(attach->events[--attach->n_events]);
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	detach_down_to(attach, 0, 0);
	free(attach->links);
	free(attach->events);
	if (attach->cpus)
		munmap(attach->cpus, attach->n_cpus * sizeof(struct pf_cpu));
	for (unsigned int i = 0; attach->ring_fds && i < attach->n_rings; i++)
		closep(&attach->ring_fds[i]);
	free(attach->ring_fds);
	perfflow_bpf__destroy(attach->bpf);
	free(attach);
}

int attach_add_process(struct attach *attach, pid_t pid)
{
	struct { /* struct pf_process: announced by whoever adds it */
		uint64_t oncpu_ns;
		uint32_t is_named, reserved;
	} process = { .is_named = 1 };
	uint32_t key = pid;

	if (bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.processes), &key, &process, BPF_NOEXIST) < 0)
		return errno == EEXIST ? 0 : -errno;
	return 0;
}

bool attach_has_process(const struct attach *attach, pid_t pid)
{
	uint64_t value[2];
	uint32_t key = pid;

	return bpf_map_lookup_elem(bpf_map__fd(attach->bpf->maps.processes), &key, value) == 0;
}

static void targets_done(struct targets *targets)
{
	free(targets->offsets);
	free(targets->cookies);
	free(targets->semaphores);
}

static int targets_add(struct targets *targets, uint64_t offset, uint64_t cookie, uint64_t semaphore)
{
	int r;

	r = array_grow(&targets->offsets, targets->n, sizeof(*targets->offsets));
	if (r >= 0)
		r = array_grow(&targets->cookies, targets->n, sizeof(*targets->cookies));
	if (r >= 0)
		r = array_grow(&targets->semaphores, targets->n, sizeof(*targets->semaphores));
	if (r < 0)
		return r;
	targets->semaphores[targets->n] = semaphore;
	targets->offsets[targets->n] = offset;
	targets->cookies[targets->n++] = cookie;
	return 0;
}

/* What is probed in one go. */
enum side {
	SIDE_CALLS,   /* entry and return in one, by a session link */
	SIDE_RETURNS, /* by return probes */
	SIDE_EXITS,   /* by exit sites */
	SIDE_ENTRIES, /* of all that are not among the calls */
};

static int add_exits(struct targets *targets, const struct site *site, uint64_t number)
{
	int r = 0;

	for (size_t i = 0; i < site->n_exits && r >= 0; i++) {
		const struct code_exit *exit = &site->exits[i];
		uint64_t cookie = number;

		if (exit->kind != CODE_EXIT_RETURN)
			cookie |= PF_COOKIE_EXIT_JUMP;
		if (exit->kind == CODE_EXIT_BRANCH)
			cookie |= PF_COOKIE_CONDITION | (uint64_t)(exit->condition.code & 15) << PF_COOKIE_CONDITION_SHIFT;
		r = targets_add(targets, exit->file_offset, cookie, 0);
	}
	return r;
}

static uint64_t entry_cookie(const struct site *site, uint64_t number)
{
	switch (site->returns) {
	case SITE_ENTRY_ONLY:
		return number | PF_COOKIE_ENTRY_ONLY;
	case SITE_EXITS:
		return number | PF_COOKIE_BY_SITES;
	default:
		return number;
	}
}

static int targets_init(struct targets *targets, const struct attach *attach, const struct binary *binary,
			const struct joinpoint *joinpoints, size_t n, uint32_t first_number, enum side side)
{
	int r = 0;

	*targets = (struct targets){ 0 };
	snprintf(targets->path, sizeof(targets->path), "/proc/self/fd/%d", binary->fd);
	for (size_t i = 0; i < n && r >= 0; i++) {
		const struct site *site = &joinpoints[i].site;
		bool by_probe = site->returns == SITE_RETURN_PROBE, by_session = by_probe && attach->has_session;
		uint64_t number = first_number + i;

		if (side == SIDE_EXITS)
			r = add_exits(targets, site, number);
		else if (side == SIDE_ENTRIES ? !by_session : by_probe)
			r = targets_add(targets, site->entry_offset,
					side == SIDE_RETURNS ? number : entry_cookie(site, number),
					joinpoints[i].semaphore_offset);
	}
	return r;
}

static int attach_many(struct attach *attach, struct bpf_program *program, enum bpf_attach_type type,
		       const struct targets *targets, bool returns)
{
	const struct link_sites sites = {
		.path = targets->path,
		.offsets = targets->offsets,
		.cookies = targets->cookies,
		.semaphores = targets->semaphores,
		.n = targets->n,
		.are_returns = returns,
	};
	int r, fd;

	r = array_grow(&attach->links, attach->n_links, sizeof(*attach->links));
	if (r < 0)
		return r;
	fd = link_open(bpf_program__fd(program), type, &sites);
	if (fd < 0)
		return fd;
	attach->links[attach->n_links++] = fd;
	return 0;
}

static int attach_each(struct attach *attach, struct bpf_program *program, const struct targets *targets, bool returns)
{
	for (size_t i = 0; i < targets->n; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = targets->cookies[i], .retprobe = returns,
			    .ref_ctr_offset = targets->semaphores[i]);
		struct bpf_link *link;
		int r;

		r = array_grow(&attach->events, attach->n_events, sizeof(*attach->events));
		if (r < 0)
			return r;
		link = bpf_program__attach_uprobe_opts(program, -1, targets->path, targets->offsets[i], &options);
		if (!link)
			return -errno;
		attach->events[attach->n_events++] = link;
	}
	return 0;
}

/* Any of the plain kinds: what the kernel has decides how. */
static int attach_targets(struct attach *attach, struct bpf_program *program, const struct targets *targets, bool returns)
{
	if (!targets->n)
		return 0;
	if (attach->has_multi)
		return attach_many(attach, program, LINK_UPROBE_MULTI, targets, returns);
	return attach_each(attach, program, targets, returns);
}

static int attach_side(struct attach *attach, const struct binary *binary, const struct joinpoint *joinpoints, size_t n,
		       uint32_t first_number, enum side side)
{
	struct bpf_program *programs[] = {
		[SIDE_CALLS] = attach->bpf->progs.on_call,
		[SIDE_RETURNS] = attach->bpf->progs.on_return,
		[SIDE_EXITS] = attach->bpf->progs.on_exit_site,
		[SIDE_ENTRIES] = attach->bpf->progs.on_entry,
	};
	_cleanup_(targets_done) struct targets targets;
	int r;

	r = targets_init(&targets, attach, binary, joinpoints, n, first_number, side);
	if (r < 0)
		return r;
	if (side == SIDE_CALLS && targets.n)
		return attach_many(attach, programs[side], LINK_UPROBE_SESSION, &targets, false);
	return attach_targets(attach, programs[side], &targets, side == SIDE_RETURNS);
}

static int refused(const struct binary *binary, size_t n, int r, struct why *why)
{
	if (r == -EACCES || r == -EPERM)
		return why_say(why, r, "no rights to probe '%s' (CAP_PERFMON is needed; CAP_SYS_ADMIN too before Linux 6.6)",
			       binary->path);
	return why_set(why, r, "cannot probe %zu functions of '%s'", n, binary->path);
}

int attach_joinpoints(struct attach *attach, const struct binary *binary, const struct joinpoint *joinpoints, size_t n,
		      uint32_t first_number, struct why *why)
{
	size_t n_links = attach->n_links, n_events = attach->n_events;
	int r;

	/* entries last: a return that is seen without its entry is merely counted */
	r = attach_side(attach, binary, joinpoints, n, first_number, attach->has_session ? SIDE_CALLS : SIDE_RETURNS);
	if (r >= 0)
		r = attach_side(attach, binary, joinpoints, n, first_number, SIDE_EXITS);
	if (r >= 0)
		r = attach_side(attach, binary, joinpoints, n, first_number, SIDE_ENTRIES);
	if (r >= 0)
		return 0;
	detach_down_to(attach, n_links, n_events);
	return refused(binary, n, r, why);
}

int attach_landings(struct attach *attach, const struct binary *binary, const uint64_t *offsets, size_t n,
		    struct why *why)
{
	_cleanup_(targets_done) struct targets targets = { 0 };
	int r = 0;

	snprintf(targets.path, sizeof(targets.path), "/proc/self/fd/%d", binary->fd);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = targets_add(&targets, offsets[i], PF_COOKIE_LANDING, 0);
	if (r >= 0)
		r = attach_targets(attach, attach->bpf->progs.on_entry, &targets, false);
	return r < 0 ? refused(binary, n, r, why) : 0;
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

int attach_cpus_fd(const struct attach *attach)
{
	return bpf_map__fd(attach->bpf->maps.cpus);
}

size_t attach_n_cpus(const struct attach *attach)
{
	return attach->n_cpus;
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
	const struct bpf_program *twice[] = { attach->bpf->progs.on_exit, attach->bpf->progs.on_exit_again };
	uint64_t first = missed_runs_of(twice[0]), second = missed_runs_of(twice[1]), n_missed;
	struct bpf_program *program;

	/* these two do the same: something is missing only where both were left out */
	n_missed = first < second ? first : second;
	bpf_object__for_each_program(program, attach->bpf->obj)
	{
		if (program != twice[0] && program != twice[1])
			n_missed += missed_runs_of(program);
	}
	return n_missed;
}
