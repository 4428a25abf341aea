/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * With session links a binary's functions are one link, whatever their number; with uprobe_multi two, one for entries and
 * one for returns; in a session for one user's processes there are as many for each of these (probe/links.h). Without either
 * each probe is a perf event of its own. All reach the file through /proc/self/fd/N, so that the file that was analysed is the
 * one that is probed.
 */
#include "probe/attach_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>

#include "probe/background.h"
#include "probe/link.h"
#include "probe/links.h"
#include "probe/relink.h"

#define MIN_IN_BACKGROUND 4 /* perf events: less are waited for */

/* In a session for one user's processes a link is one in each of them. */
static int open_relink(int program_fd, int file_fd, const struct link_sites *sites, void *userdata)
{
	struct attach *attach = userdata;
	struct link_sites there = *sites;
	char path[64];
	int r;

	if (attach->is_per_process) {
		r = links_add_sites(attach->per_process, program_fd, LINK_UPROBE_MULTI, file_fd, sites);
		return r < 0 ? r : (int)links_n_sites(attach->per_process) - 1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	there.path = path;
	return link_open(program_fd, LINK_UPROBE_MULTI, &there);
}

static void close_relink(int link, void *userdata)
{
	struct attach *attach = userdata;

	if (!attach->is_per_process)
		link_close(&link, 1);
	else if (attach->per_process) /* else all of them were closed at once */
		links_take_out(attach->per_process, link);
}

static const struct relink_ops relink_ops = { open_relink, close_relink };

int attach_open_relinks(struct attach *attach)
{
	return relinks_new(&attach->bpf->bss->relink, &relink_ops, attach, &attach->relinks);
}

/* What one link or a series of perf events is made from. */
struct targets {
	char path[64];
	int file_fd; /* the same; borrowed */
	unsigned long *offsets;
	uint64_t *cookies;
	uint64_t *semaphores; /* of static probes, else 0 */
	size_t n;
};

/* What is probed. */
struct batch {
	const struct binary *binary;
	const struct joinpoint *joinpoints;
	size_t n;
	uint32_t first_number;
	const uint16_t *advices; /* or NULL */
};

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

struct attached { /* so many */
	size_t n_links, n_events, n_sites;
};

static struct attached attached_so_far(const struct attach *attach)
{
	return (struct attached){
		.n_links = attach->n_links,
		.n_events = attach->n_events,
		.n_sites = attach->per_process ? links_n_sites(attach->per_process) : 0,
	};
}

static void detach_down_to(struct attach *attach, const struct attached *to)
{
	_cleanup_close_ int background = hold_in_background(attach, to->n_events);

	if (attach->per_process)
		links_remove_sites(attach->per_process, to->n_sites);
	link_close(attach->links + to->n_links, attach->n_links - to->n_links);
	attach->n_links = to->n_links;
	while (attach->n_events > to->n_events)
		bpf_link__destroy(attach->events[--attach->n_events]);
}

void attach_detach(struct attach *attach)
{
	detach_down_to(attach, &(struct attached){ 0 });
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

		if (!code_exit_is_return(exit->kind))
			cookie |= PF_COOKIE_EXIT_JUMP;
		if (code_exit_has_condition(exit->kind))
			cookie |= PF_COOKIE_CONDITION | (uint64_t)exit->condition.code << PF_COOKIE_CONDITION_SHIFT;
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

static int targets_init(struct targets *targets, const struct attach *attach, const struct batch *batch, enum side side)
{
	int r = 0;

	*targets = (struct targets){ .file_fd = batch->binary->fd };
	snprintf(targets->path, sizeof(targets->path), "/proc/self/fd/%d", batch->binary->fd);
	for (size_t i = 0; i < batch->n && r >= 0; i++) {
		const struct site *site = &batch->joinpoints[i].site;
		bool by_probe = site->returns == SITE_RETURN_PROBE, by_session = by_probe && attach->has_session;
		uint64_t number = batch->first_number + i;

		if (batch->joinpoints[i].kind == JOINPOINT_STATIC_PROBE)
			number |= PF_COOKIE_INSIDE;
		if (batch->advices)
			number |= (uint64_t)batch->advices[i] << PF_COOKIE_ADVICE_SHIFT;
		if (side == SIDE_EXITS)
			r = add_exits(targets, site, number);
		else if (side == SIDE_ENTRIES ? !by_session : by_probe)
			r = targets_add(targets, site->entry_offset,
					side == SIDE_RETURNS ? number : entry_cookie(site, number),
					batch->joinpoints[i].semaphore_offset);
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

	if (attach->per_process)
		return links_add_sites(attach->per_process, bpf_program__fd(program), type, targets->file_fd, &sites);
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

static int relink_targets(struct attach *attach, struct bpf_program *program, const struct targets *targets, enum side side)
{
	const struct link_sites sites = {
		.offsets = targets->offsets,
		.cookies = targets->cookies,
		.semaphores = targets->semaphores,
		.n = targets->n,
		.are_returns = side == SIDE_RETURNS,
	};

	return relinks_add(attach->relinks, bpf_program__fd(program), &sites, side == SIDE_ENTRIES);
}

static int attach_side(struct attach *attach, const struct batch *batch, enum side side)
{
	struct bpf_program *programs[] = {
		[SIDE_CALLS] = attach->bpf->progs.on_call,
		[SIDE_RETURNS] = attach->bpf->progs.on_return,
		[SIDE_EXITS] = attach->bpf->progs.on_exit_site,
		[SIDE_ENTRIES] = attach->bpf->progs.on_entry,
	};
	_cleanup_(targets_done) struct targets targets;
	int r;

	r = targets_init(&targets, attach, batch, side);
	if (r < 0)
		return r;
	if (attach->relinks && targets.n)
		return relink_targets(attach, programs[side], &targets, side);
	if (side == SIDE_CALLS && targets.n)
		return attach_many(attach, programs[side], LINK_UPROBE_SESSION, &targets, false);
	return attach_targets(attach, programs[side], &targets, side == SIDE_RETURNS);
}

static int refused(const struct binary *binary, size_t n, int r, struct why *why)
{
	if (r == -EACCES || r == -EPERM)
		return why_say(why, r, "no rights to probe '%s' (CAP_PERFMON is needed; CAP_SYS_ADMIN too before Linux 6.6)",
			       binary->path);
	if (r == -EDQUOT)
		return why_say(why, r, "no memory is left of what your sessions may take for the probes of %zu functions in each "
				       "process", n);
	return why_set(why, r, "cannot probe %zu functions of '%s'", n, binary->path);
}

int attach_joinpoints(struct attach *attach, const struct binary *binary, const struct joinpoint *joinpoints, size_t n,
		      uint32_t first_number, const uint16_t *advices, struct why *why)
{
	const struct batch batch = { binary, joinpoints, n, first_number, advices };
	struct attached before = attached_so_far(attach);
	int r;

	r = attach->relinks ? relinks_begin(attach->relinks, binary->fd, first_number, n) : 0;
	if (r < 0)
		return refused(binary, n, r, why);
	/* entries last: a return that is seen without its entry is merely counted */
	r = attach_side(attach, &batch, attach->has_session ? SIDE_CALLS : SIDE_RETURNS);
	if (r >= 0)
		r = attach_side(attach, &batch, SIDE_EXITS);
	if (r >= 0)
		r = attach_side(attach, &batch, SIDE_ENTRIES);
	if (r >= 0)
		return 0;
	if (attach->relinks)
		relinks_drop(attach->relinks);
	detach_down_to(attach, &before);
	return refused(binary, n, r, why);
}

int attach_landings(struct attach *attach, const struct binary *binary, const uint64_t *offsets, size_t n,
		    struct why *why)
{
	_cleanup_(targets_done) struct targets targets = { .file_fd = binary->fd };
	int r = 0;

	snprintf(targets.path, sizeof(targets.path), "/proc/self/fd/%d", binary->fd);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = targets_add(&targets, offsets[i], PF_COOKIE_LANDING, 0);
	if (r >= 0)
		r = attach_targets(attach, attach->bpf->progs.on_entry, &targets, false);
	return r < 0 ? refused(binary, n, r, why) : 0;
}

int attach_touch(struct attach *attach, const struct binary *binary, uint64_t offset, struct why *why)
{
	_cleanup_(targets_done) struct targets targets = { .file_fd = binary->fd };
	int r;

	if (!attach->has_multi)
		return 0;
	snprintf(targets.path, sizeof(targets.path), "/proc/self/fd/%d", binary->fd);
	r = targets_add(&targets, offset, 0, 0);
	if (r >= 0)
		r = attach_targets(attach, attach->bpf->progs.on_touch, &targets, false);
	return r < 0 ? refused(binary, 1, r, why) : 0;
}

int attach_add_advice(struct attach *attach, const struct pf_advice *advice, uint16_t *ret_number)
{
	uint64_t hash = hash_bytes(advice, sizeof(*advice));
	uintptr_t known = (uintptr_t)hash_find(&attach->advices, hash);
	uint32_t number = attach->n_advices + 1U;
	int r;

	if (known) {
		*ret_number = known;
		return 0;
	}
	if (number > UINT16_MAX)
		return -E2BIG;
	if (bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.advices), &number, advice, BPF_ANY) < 0)
		return -errno;
	r = hash_put(&attach->advices, hash, (void *)(uintptr_t)number);
	if (r < 0)
		return r;
	*ret_number = attach->n_advices = number;
	return 0;
}

int attach_limit(struct attach *attach, uint32_t joinpoint, const struct pf_limit *limit)
{
	if (bpf_map_update_elem(bpf_map__fd(attach->bpf->maps.limits), &joinpoint, limit, BPF_ANY) < 0)
		return -errno;
	__atomic_store_n(&attach->bpf->bss->is_limiting, 1, __ATOMIC_RELEASE);
	return 0;
}

struct relinks *attach_relinks(const struct attach *attach)
{
	return attach->relinks;
}
