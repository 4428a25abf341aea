/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The kernel limits a link to a process by its memory: breakpoints are put into that alone, also into what it maps later and
 * after it executed another program. A child has a copy of its parent's memory with the breakpoints that are in it, and they
 * call nobody until it has links of its own. When a link is closed, the kernel takes its breakpoints out of all memory that no
 * other link wants them in: so what a child inherited and must not keep goes away with the links that it is given and loses.
 *
 * Decided against: one link for all processes of a user, which the kernel does not know; and links for threads that share
 * memory, since the kernel's filter is by process.
 */
#include "probe/links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/background.h"
#include "util/hash.h"
#include "util/text.h"

#define SITE_BYTES 256 /* what the kernel keeps of one place in one process, about */
#define LINK_BYTES 1024
#define MAX_LINKS 2048	/* of a session, and not more than one in */
#define LIMIT_SHARE 8	/* of the descriptors that this process may have: others need some too */

struct sites { /* what one link is made from */
	int program_fd; /* borrowed */
	int file_fd;	/* owned */
	enum bpf_attach_type type;
	bool are_returns;
	unsigned long *offsets;
	uint64_t *cookies, *semaphores;
	size_t n;
};

struct process {
	pid_t pid;
	int *fds; /* one for each of the links' sites, -1 where it has none */
	size_t n_fds;
};

struct links {
	links_admits_fn admits_fn;
	void *userdata;
	struct sites *sites;
	size_t n_sites;
	struct hash processes; /* struct process, by pid */
	int *forgotten;	       /* links of processes that have ended */
	size_t n_forgotten;
	size_t n_open, max_open; /* descriptors, with those */
	uint64_t n_bytes, max_bytes;
};

static size_t most_links(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / LIMIT_SHARE > MAX_LINKS)
		return MAX_LINKS;
	return limit.rlim_cur / LIMIT_SHARE;
}

int links_new(links_admits_fn admits_fn, void *userdata, struct links **ret_links)
{
	struct links *links = calloc(1, sizeof(*links));

	if (!links)
		return -ENOMEM;
	links->admits_fn = admits_fn;
	links->userdata = userdata;
	links->max_open = most_links();
	*ret_links = links;
	return 0;
}

static void sites_done(struct sites *sites)
{
	closep(&sites->file_fd);
	free(sites->offsets);
	free(sites->cookies);
	free(sites->semaphores);
}

/* Taken out by links_take_out(): those behind it keep their numbers. */
static bool is_gone(const struct sites *sites)
{
	return sites->file_fd < 0;
}

static uint64_t sites_bytes(const struct sites *sites)
{
	return is_gone(sites) ? 0 : LINK_BYTES + sites->n * SITE_BYTES;
}

static void close_links(struct links *links, int *fds, size_t n)
{
	link_close(fds, n);
	for (size_t i = 0; i < n; i++) {
		links->n_open -= fds[i] >= 0;
		fds[i] = -1;
	}
}

static void process_free(struct links *links, struct process *process)
{
	if (!process)
		return;
	close_links(links, process->fds, process->n_fds);
	free(process->fds);
	free(process);
}

static void *copy_of(const void *array, size_t n, size_t size)
{
	void *copy = array ? malloc(n * size + 1) : calloc(n + 1, size);

	if (copy && array)
		memcpy(copy, array, n * size);
	return copy;
}

static int sites_init(struct sites *sites, int program_fd, enum bpf_attach_type type, int file_fd,
		      const struct link_sites *from)
{
	*sites = (struct sites){
		.program_fd = program_fd,
		.file_fd = fcntl(file_fd, F_DUPFD_CLOEXEC, 3),
		.type = type,
		.are_returns = from->are_returns,
		.offsets = copy_of(from->offsets, from->n, sizeof(*from->offsets)),
		.cookies = copy_of(from->cookies, from->n, sizeof(*from->cookies)),
		.semaphores = copy_of(from->semaphores, from->n, sizeof(*from->semaphores)),
		.n = from->n,
	};
	if (sites->file_fd < 0)
		return -errno;
	return sites->offsets && sites->cookies && sites->semaphores ? 0 : -ENOMEM;
}

static int open_one(const struct sites *sites, pid_t pid)
{
	char path[64];
	const struct link_sites wanted = {
		.path = path,
		.offsets = sites->offsets,
		.cookies = sites->cookies,
		.semaphores = sites->semaphores,
		.n = sites->n,
		.are_returns = sites->are_returns,
		.pid = pid,
	};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sites->file_fd);
	return link_open(sites->program_fd, sites->type, &wanted);
}

/* One that has ended, or is about to, needs none. */
static int add_link(struct links *links, struct process *process, const struct sites *sites)
{
	uint64_t n_bytes = sites_bytes(sites);
	int fd, r;

	if (links->n_open >= links->max_open || (links->max_bytes && links->n_bytes + n_bytes > links->max_bytes))
		return -EDQUOT;
	r = array_grow(&process->fds, process->n_fds, sizeof(*process->fds));
	if (r < 0)
		return r;
	if (is_gone(sites)) {
		process->fds[process->n_fds++] = -1;
		return 0;
	}
	fd = open_one(sites, process->pid);
	if (fd < 0 && fd != -ESRCH)
		return fd;
	process->fds[process->n_fds++] = fd < 0 ? -1 : fd;
	links->n_open += fd >= 0;
	links->n_bytes += n_bytes;
	return fd < 0 ? -ESRCH : 0;
}

static void remove_last_sites(struct links *links)
{
	struct sites *last = &links->sites[--links->n_sites];
	struct process *process;
	size_t cursor = 0;

	while ((process = hash_next(&links->processes, &cursor, NULL))) {
		if (process->n_fds <= links->n_sites)
			continue;
		close_links(links, &process->fds[--process->n_fds], 1);
		links->n_bytes -= sites_bytes(last);
	}
	sites_done(last);
}

int links_add_sites(struct links *links, int program_fd, enum bpf_attach_type type, int file_fd,
		    const struct link_sites *sites)
{
	struct process *process;
	size_t cursor = 0;
	int r;

	r = array_grow(&links->sites, links->n_sites, sizeof(*links->sites));
	if (r < 0)
		return r;
	r = sites_init(&links->sites[links->n_sites++], program_fd, type, file_fd, sites);
	while (r >= 0 && (process = hash_next(&links->processes, &cursor, NULL))) {
		r = add_link(links, process, &links->sites[links->n_sites - 1]);
		if (r == -ESRCH)
			r = 0;
	}
	if (r < 0)
		remove_last_sites(links);
	return r;
}

size_t links_n_sites(const struct links *links)
{
	return links->n_sites;
}

void links_remove_sites(struct links *links, size_t n_sites)
{
	while (links->n_sites > n_sites)
		remove_last_sites(links);
}

void links_take_out(struct links *links, size_t number)
{
	struct sites *sites = number < links->n_sites ? &links->sites[number] : NULL;
	struct process *process;
	size_t cursor = 0;

	if (!sites || is_gone(sites))
		return;
	while ((process = hash_next(&links->processes, &cursor, NULL))) {
		if (process->n_fds <= number)
			continue;
		close_links(links, &process->fds[number], 1);
		links->n_bytes -= sites_bytes(sites);
	}
	sites_done(sites);
	*sites = (struct sites){ .file_fd = -1 };
	while (links->n_sites && is_gone(&links->sites[links->n_sites - 1]))
		remove_last_sites(links);
}

static uint64_t process_bytes(const struct links *links, const struct process *process)
{
	uint64_t n_bytes = 0;

	for (size_t i = 0; i < process->n_fds; i++)
		n_bytes += sites_bytes(&links->sites[i]);
	return n_bytes;
}

/* Takes it out of what is counted; it is the caller's. */
static struct process *take_process(struct links *links, pid_t pid)
{
	struct process *process = hash_remove(&links->processes, pid);

	if (process)
		links->n_bytes -= process_bytes(links, process);
	return process;
}

static int open_all(struct links *links, struct process *process)
{
	int r = 0;

	for (size_t i = 0; i < links->n_sites && r >= 0; i++)
		r = add_link(links, process, &links->sites[i]);
	if (r >= 0 && !links->admits_fn(process->pid, links->userdata))
		r = -ESRCH;
	return r < 0 ? r : hash_put(&links->processes, process->pid, process);
}

int links_add_process(struct links *links, pid_t pid)
{
	struct process *process;
	int r;

	if (links_have_process(links, pid))
		return 0;
	process = calloc(1, sizeof(*process));
	if (!process)
		return -ENOMEM;
	process->pid = pid;
	r = open_all(links, process);
	if (r >= 0)
		return 0;
	links->n_bytes -= process_bytes(links, process);
	process_free(links, process);
	return r;
}

bool links_have_process(const struct links *links, pid_t pid)
{
	return hash_find(&links->processes, pid);
}

int links_pids(const struct links *links, pid_t **ret_pids, size_t *ret_n)
{
	pid_t *pids = malloc((links->processes.n_values + 1) * sizeof(*pids));
	const struct process *process;
	size_t cursor = 0, n = 0;

	if (!pids)
		return -ENOMEM;
	while ((process = hash_next(&links->processes, &cursor, NULL)))
		pids[n++] = process->pid;
	*ret_pids = pids;
	*ret_n = n;
	return 0;
}

void links_remove_process(struct links *links, pid_t pid)
{
	process_free(links, take_process(links, pid));
}

/* Those for which there is no room in the list are closed now. */
static void forget(struct links *links, struct process *process)
{
	for (size_t i = 0; i < process->n_fds; i++)
		if (process->fds[i] >= 0 && array_grow(&links->forgotten, links->n_forgotten, sizeof(*links->forgotten)) >= 0)
			links->forgotten[links->n_forgotten++] = take_fd(process->fds[i]);
	process_free(links, process);
}

void links_forget_process(struct links *links, pid_t pid)
{
	struct process *process = take_process(links, pid);

	if (process)
		forget(links, process);
}

size_t links_n_forgotten(const struct links *links)
{
	return links->n_forgotten;
}

void links_sweep(struct links *links)
{
	_cleanup_close_ int background = -1;

	if (!links->n_forgotten)
		return;
	background = background_hold(links->forgotten, links->n_forgotten);
	close_links(links, links->forgotten, links->n_forgotten);
	links->n_forgotten = 0;
}

void links_allow(struct links *links, uint64_t max_bytes)
{
	links->max_bytes = max_bytes;
}

uint64_t links_bytes(const struct links *links)
{
	return links->n_bytes;
}

/* All at once, and not waited for. */
void links_free(struct links *links)
{
	struct process *process;
	size_t cursor = 0;

	if (!links)
		return;
	while ((process = hash_next(&links->processes, &cursor, NULL)))
		forget(links, process);
	links_sweep(links);
	free(links->forgotten);
	hash_done(&links->processes);
	for (size_t i = 0; i < links->n_sites; i++)
		sites_done(&links->sites[i]);
	free(links->sites);
	free(links);
}
