/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Processes come into the kernel side's table by a call from here, or as children of those that are in it; with one user's alone
 * each gets its links when it is asked for, and what becomes of it is told through a ring of its own.
 */
#include "probe/attach_internal.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "probe/links.h"
#include "util/now.h"

#define MAX_CHANGES 32 /* that are read in one go: each may take milliseconds, and others wait */

static bool is_admitted(pid_t pid, void *userdata)
{
	return attach_has_process(userdata, pid);
}

static int on_change(void *userdata, void *data, size_t size)
{
	struct attach *attach = userdata;

	if (size >= sizeof(struct pf_change))
		attach->change_fn(data, attach->change_userdata);
	return --attach->n_changes_left > 0 ? 0 : -EAGAIN;
}

int attach_open_links(struct attach *attach, struct why *why)
{
	int r;

	r = links_new(is_admitted, attach, &attach->per_process);
	if (r < 0)
		return r;
	attach->is_per_process = true;
	attach->changes = ring_buffer__new(bpf_map__fd(attach->bpf->maps.changes), on_change, attach, NULL);
	if (!attach->changes)
		return why_set(why, -errno, "cannot watch what becomes of the processes");
	return 0;
}

struct verdict_value { /* struct pf_verdict of the kernel side */
	uint64_t generation;
	uint32_t atoms, without_metrics;
};

/* Announced by whoever adds it. */
static struct attach_process process_now(uint64_t generation)
{
	return (struct attach_process){ .is_named = 1, .since_ns = clock_now_ns(CLOCK_BOOTTIME), .generation = generation };
}

int attach_add_process(struct attach *attach, pid_t pid, uint64_t generation)
{
	struct attach_process process = process_now(generation);
	uint32_t key = pid;

	dispatch_mark(attach->dispatch, pid); /* first */
	return bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.processes), &key, &process, BPF_NOEXIST) < 0 ? -errno : 0;
}

bool attach_has_process(const struct attach *attach, pid_t pid)
{
	struct attach_process value;
	uint32_t key = pid;

	return bpf_map_lookup_elem(bpf_map__fd(attach->bpf->maps.processes), &key, &value) == 0;
}

bool attach_may_have_had_process(const struct attach *attach, pid_t pid)
{
	return dispatch_is_marked(attach->dispatch, pid);
}

void attach_remove_process(struct attach *attach, pid_t pid)
{
	uint32_t key = pid;

	bpf_map_delete_elem(bpf_map__fd(attach->bpf->maps.processes), &key);
}

int attach_name_process(struct attach *attach, pid_t pid, uint64_t generation)
{
	struct attach_process process = process_now(generation);
	uint32_t key = pid;

	return bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.processes), &key, &process, BPF_EXIST) < 0 ? -errno : 0;
}

int attach_set_verdict(struct attach *attach, pid_t pid, uint64_t generation, uint32_t atoms, bool with_metrics)
{
	struct verdict_value verdict = { .generation = generation, .atoms = atoms, .without_metrics = !with_metrics };
	uint32_t key = pid;

	return bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.verdicts), &key, &verdict, BPF_ANY) < 0 ? -errno : 0;
}

int attach_link_process(struct attach *attach, pid_t pid)
{
	return links_add_process(attach->per_process, pid);
}

bool attach_has_linked(const struct attach *attach, pid_t pid)
{
	return links_have_process(attach->per_process, pid);
}

void attach_unlink_process(struct attach *attach, pid_t pid)
{
	links_remove_process(attach->per_process, pid);
}

void attach_forget_process(struct attach *attach, pid_t pid)
{
	links_forget_process(attach->per_process, pid);
}

size_t attach_n_forgotten(const struct attach *attach)
{
	return links_n_forgotten(attach->per_process);
}

void attach_sweep(struct attach *attach)
{
	links_sweep(attach->per_process);
}

uint64_t attach_linked_bytes(const struct attach *attach)
{
	return links_bytes(attach->per_process);
}

void attach_allow_linked_bytes(struct attach *attach, uint64_t max_bytes)
{
	links_allow(attach->per_process, max_bytes);
}

int attach_linked(const struct attach *attach, pid_t **ret_pids, size_t *ret_n)
{
	return links_pids(attach->per_process, ret_pids, ret_n);
}

int attach_processes(const struct attach *attach, pid_t **ret_pids, size_t *ret_n)
{
	int map = bpf_map__fd(attach->bpf->maps.processes);
	_cleanup_free_ pid_t *pids = NULL;
	uint32_t key, *last = NULL;
	size_t n = 0;

	while (n < bpf_map__max_entries(attach->bpf->maps.processes) && bpf_map_get_next_key(map, last, &key) == 0) {
		if (array_grow(&pids, n, sizeof(*pids)) < 0)
			return -ENOMEM;
		pids[n++] = key;
		last = &key;
	}
	*ret_pids = take_ptr(pids);
	*ret_n = n;
	return 0;
}

int attach_changes_fd(const struct attach *attach)
{
	return ring_buffer__epoll_fd(attach->changes);
}

void attach_read_changes(struct attach *attach, attach_change_fn change_fn, void *userdata)
{
	attach->change_fn = change_fn;
	attach->change_userdata = userdata;
	attach->n_changes_left = MAX_CHANGES;
	ring_buffer__consume(attach->changes);
}

uint64_t attach_n_changes_lost(const struct attach *attach)
{
	return __atomic_load_n(&attach->bpf->bss->n_changes_lost, __ATOMIC_RELAXED);
}
