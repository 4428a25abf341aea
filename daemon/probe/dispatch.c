/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A dispatcher has a bit for each of its sessions, and calls so many as the kernel allows tail calls one after another; there are
 * as many dispatchers as the sessions need.
 */
#include "probe/dispatch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "cpu.h"
#include "probe/features.h"

#include "dispatch.skel.h"

#define MARK_STRIDE (sizeof(uint64_t) / sizeof(uint32_t)) /* the kernel rounds an array's values up */
#define MARKS_BYTES (PF_SCOPE_MARKS * MARK_STRIDE * sizeof(uint32_t))
#define CLOCKS_BYTES(dispatcher) ((dispatcher)->n_cpus * sizeof(struct pf_cpu_clock))

struct dispatcher {
	struct dispatcher *next;
	struct dispatch_bpf *bpf;
	uint32_t *marks; /* shared with the kernel, as are: */
	const struct pf_cpu_clock *clocks;
	int n_cpus;
	uint32_t joined; /* a bit for each session: PF_MAX_DISPATCHED */
	bool can_call;
};

struct dispatch {
	struct dispatcher *dispatcher;
	uint32_t number; /* of its bit */
	uint64_t n_missed_before;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct dispatcher *dispatchers;

static void dispatcher_free(struct dispatcher *dispatcher)
{
	if (dispatcher->marks)
		munmap(dispatcher->marks, MARKS_BYTES);
	if (dispatcher->clocks)
		munmap((void *)dispatcher->clocks, CLOCKS_BYTES(dispatcher));
	dispatch_bpf__destroy(dispatcher->bpf);
	free(dispatcher);
}
DEFINE_CLEANUP(struct dispatcher, dispatcher_free)

/* Where it is not noted which task a CPU has. Those that are offline say so. */
static void note_present_tasks(const struct dispatcher *dispatcher)
{
	for (int cpu = 0; cpu < dispatcher->n_cpus; cpu++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);
		const struct pf_cpu_clock *clock = &dispatcher->clocks[cpu];

		if (!__atomic_load_n(&clock->since_ns, __ATOMIC_RELAXED) ||
		    __atomic_load_n(&clock->tgid, __ATOMIC_RELAXED) == PF_OTHERS)
			bpf_prog_test_run_opts(bpf_program__fd(dispatcher->bpf->progs.on_present), &options);
	}
}

static int map_shared(const struct bpf_map *map, size_t size, int protection, void **ret_memory)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static int load(struct dispatcher *dispatcher)
{
	int r;

	dispatcher->bpf = dispatch_bpf__open();
	if (!dispatcher->bpf)
		return -errno;
	r = bpf_map__set_max_entries(dispatcher->bpf->maps.cpu_clocks, dispatcher->n_cpus);
	if (r < 0)
		return r;
	bpf_program__set_autoattach(dispatcher->bpf->progs.on_present, false);
	r = features_load_error(dispatch_bpf__load(dispatcher->bpf));
	if (r < 0)
		return r;
	r = map_shared(dispatcher->bpf->maps.scope_marks, MARKS_BYTES, PROT_READ | PROT_WRITE, (void **)&dispatcher->marks);
	if (r < 0)
		return r;
	r = map_shared(dispatcher->bpf->maps.cpu_clocks, CLOCKS_BYTES(dispatcher), PROT_READ, (void **)&dispatcher->clocks);
	if (r < 0)
		return r;
	return dispatch_bpf__attach(dispatcher->bpf);
}

static int dispatcher_new(struct dispatcher **ret_dispatcher, struct why *why)
{
	_cleanup_(dispatcher_freep) struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
	int r;

	if (!dispatcher)
		return -ENOMEM;
	dispatcher->n_cpus = libbpf_num_possible_cpus();
	if (dispatcher->n_cpus < 0)
		return why_set(why, dispatcher->n_cpus, "cannot tell the number of CPUs");
	dispatcher->can_call = feature_is_there(FEATURE_TAIL_CALLS);
	r = load(dispatcher);
	if (r == -EPERM)
		return why_say(why, r, "no rights to load BPF programs (CAP_BPF and CAP_PERFMON are needed)");
	if (r < 0)
		return why_set(why, r, "cannot attach to the kernel's scheduler");
	note_present_tasks(dispatcher);
	*ret_dispatcher = take_ptr(dispatcher);
	return 0;
}

static int find_room(struct dispatcher **ret_dispatcher, struct why *why)
{
	struct dispatcher *dispatcher = dispatchers;
	int r;

	while (dispatcher && dispatcher->joined == UINT32_MAX)
		dispatcher = dispatcher->next;
	if (!dispatcher) {
		r = dispatcher_new(&dispatcher, why);
		if (r < 0)
			return r;
		dispatcher->next = dispatchers;
		dispatchers = dispatcher;
	}
	*ret_dispatcher = dispatcher;
	return 0;
}

static uint64_t n_missed_runs(const struct dispatcher *dispatcher)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int program = bpf_program__fd(dispatcher->bpf->progs.on_any_switch);

	return bpf_prog_get_info_by_fd(program, &info, &size) == 0 ? info.recursion_misses : 0;
}

int dispatch_join(struct dispatch **ret_dispatch, struct why *why)
{
	_cleanup_free_ struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
	int r;

	if (!dispatch)
		return -ENOMEM;
	pthread_mutex_lock(&lock);
	r = find_room(&dispatch->dispatcher, why);
	if (r >= 0) {
		dispatch->number = __builtin_ctz(~dispatch->dispatcher->joined);
		dispatch->dispatcher->joined |= dispatch_bit(dispatch);
	}
	pthread_mutex_unlock(&lock);
	if (r < 0)
		return r;
	dispatch->n_missed_before = n_missed_runs(dispatch->dispatcher);
	*ret_dispatch = take_ptr(dispatch);
	return 0;
}

/* For the session that will have its bit. */
static void forget(struct dispatcher *dispatcher, uint32_t bit)
{
	__atomic_fetch_and(&dispatcher->bpf->bss->wants_all, ~bit, __ATOMIC_RELAXED);
	for (size_t i = 0; i < PF_SCOPE_MARKS; i++)
		if (__atomic_load_n(&dispatcher->marks[i * MARK_STRIDE], __ATOMIC_RELAXED) & bit)
			__atomic_fetch_and(&dispatcher->marks[i * MARK_STRIDE], ~bit, __ATOMIC_RELAXED);
}

static void remove_dispatcher(struct dispatcher *dispatcher)
{
	struct dispatcher **link = &dispatchers;

	while (*link != dispatcher)
		link = &(*link)->next;
	*link = dispatcher->next;
	dispatcher_free(dispatcher);
}

void dispatch_leave(struct dispatch *dispatch)
{
	struct dispatcher *dispatcher;

	if (!dispatch)
		return;
	dispatcher = dispatch->dispatcher;
	bpf_map_delete_elem(bpf_map__fd(dispatcher->bpf->maps.switch_hooks), &dispatch->number);
	forget(dispatcher, dispatch_bit(dispatch));
	pthread_mutex_lock(&lock);
	dispatcher->joined &= ~dispatch_bit(dispatch);
	if (!dispatcher->joined)
		remove_dispatcher(dispatcher);
	pthread_mutex_unlock(&lock);
	free(dispatch);
}

struct dispatch_maps dispatch_maps(const struct dispatch *dispatch)
{
	const struct dispatch_bpf *bpf = dispatch->dispatcher->bpf;

	return (struct dispatch_maps){
		.cpu_clocks = bpf_map__fd(bpf->maps.cpu_clocks),
		.scope_marks = bpf_map__fd(bpf->maps.scope_marks),
		.switch_hooks = bpf_map__fd(bpf->maps.switch_hooks),
	};
}

uint32_t dispatch_bit(const struct dispatch *dispatch)
{
	return 1U << dispatch->number;
}

bool dispatch_can_call(const struct dispatch *dispatch)
{
	return dispatch->dispatcher->can_call;
}

int dispatch_begin(struct dispatch *dispatch, int program)
{
	int fd = bpf_map__fd(dispatch->dispatcher->bpf->maps.switch_hooks);

	return bpf_map_update_elem(fd, &dispatch->number, &program, BPF_ANY) < 0 ? -errno : 0;
}

void dispatch_want_all(struct dispatch *dispatch)
{
	__atomic_fetch_or(&dispatch->dispatcher->bpf->bss->wants_all, dispatch_bit(dispatch), __ATOMIC_RELAXED);
}

static uint32_t *mark(const struct dispatch *dispatch, pid_t pid)
{
	return &dispatch->dispatcher->marks[(uint32_t)pid % PF_SCOPE_MARKS * MARK_STRIDE];
}

void dispatch_mark(struct dispatch *dispatch, pid_t pid)
{
	__atomic_fetch_or(mark(dispatch, pid), dispatch_bit(dispatch), __ATOMIC_SEQ_CST);
	note_present_tasks(dispatch->dispatcher); /* its threads may be on CPUs already */
}

bool dispatch_is_marked(const struct dispatch *dispatch, pid_t pid)
{
	return __atomic_load_n(mark(dispatch, pid), __ATOMIC_RELAXED) & dispatch_bit(dispatch);
}

uint64_t dispatch_n_missed_runs(const struct dispatch *dispatch)
{
	return n_missed_runs(dispatch->dispatcher) - dispatch->n_missed_before;
}
