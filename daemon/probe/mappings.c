/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A dummy software event per CPU carries the records; each ring is small, since a mapping is a rare thing. Records may wrap
 * at the ring's end, so each is copied out before it is looked at.
 */
#include "probe/mappings.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "probe/hotplug.h"

#define RING_PAGES 64 /* a power of two */
#define RECORD_MAX 8192

struct ring {
	int fd; /* -1 while the CPU is offline */
	uint64_t life; /* of the CPU */
	struct perf_event_mmap_page *page; /* followed by the ring's bytes */
};

struct mappings {
	enum mappings_scope scope;
	int epoll_fd;
	size_t page_bytes;
	uint64_t n_lost;
	size_t n_rings;
	struct ring rings[]; /* one for each CPU */
};

struct mmap2_record { /* PERF_RECORD_MMAP2, up to the name */
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, page_offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct fork_record { /* PERF_RECORD_FORK */
	struct perf_event_header header;
	uint32_t pid, parent_pid;
	uint32_t tid, parent_tid;
	uint64_t time_ns;
};

struct comm_record { /* PERF_RECORD_COMM, up to the name */
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost_record { /* PERF_RECORD_LOST */
	struct perf_event_header header;
	uint64_t id, n_lost;
};

/* Who wants files wants them at once; who wants all would be woken for every thread that begins or ends. */
static int open_event(int cpu, enum mappings_scope scope)
{
	bool wants_all = scope == MAPPINGS_ALL;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.task = wants_all,
		.comm = wants_all,
		.comm_exec = wants_all,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.watermark = 1,
		.wakeup_watermark = wants_all ? UINT32_MAX : 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static size_t ring_bytes(const struct mappings *mappings)
{
	return RING_PAGES * mappings->page_bytes;
}

static void close_ring(struct mappings *mappings, struct ring *ring)
{
	if (ring->fd < 0)
		return;
	munmap(ring->page, mappings->page_bytes + ring_bytes(mappings));
	closep(&ring->fd);
	ring->fd = -1;
}

static int open_ring(struct mappings *mappings, int cpu)
{
	struct ring *ring = &mappings->rings[cpu];
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t life = hotplug_life(HOTPLUG_FOLDER, cpu); /* before, so that a CPU that goes meanwhile is noticed */
	void *memory;
	int fd;

	fd = open_event(cpu, mappings->scope);
	if (fd < 0)
		return fd;
	memory = mmap(NULL, mappings->page_bytes + ring_bytes(mappings), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ring = (struct ring){ .fd = fd, .life = life, .page = memory };
	return epoll_ctl(mappings->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int mappings_open(enum mappings_scope scope, struct mappings **ret_mappings)
{
	_cleanup_(mappings_closep) struct mappings *mappings = NULL;
	int r, n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 1)
		return -EINVAL;
	mappings = calloc(1, sizeof(*mappings) + n_cpus * sizeof(mappings->rings[0]));
	if (!mappings)
		return -ENOMEM;
	mappings->scope = scope;
	mappings->page_bytes = sysconf(_SC_PAGESIZE);
	mappings->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (mappings->epoll_fd < 0)
		return -errno;
	for (int cpu = 0; cpu < n_cpus; cpu++)
		mappings->rings[mappings->n_rings++].fd = -1;
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		r = open_ring(mappings, cpu);
		if (r < 0 && r != -ENODEV)
			return r;
	}
	*ret_mappings = take_ptr(mappings);
	return 0;
}

void mappings_close(struct mappings *mappings)
{
	if (!mappings)
		return;
	for (size_t i = 0; i < mappings->n_rings; i++)
		close_ring(mappings, &mappings->rings[i]);
	closep(&mappings->epoll_fd);
	free(mappings);
}

int mappings_fd(const struct mappings *mappings)
{
	return mappings->epoll_fd;
}

uint64_t mappings_n_lost(const struct mappings *mappings)
{
	return mappings->n_lost;
}

static void copy_out(const struct mappings *mappings, const struct ring *ring, uint64_t at, void *to, size_t size)
{
	const char *bytes = (const char *)ring->page + mappings->page_bytes;
	size_t offset = at % ring_bytes(mappings), first = ring_bytes(mappings) - offset;

	if (first > size)
		first = size;
	memcpy(to, bytes + offset, first);
	memcpy((char *)to + first, bytes, size - first);
}

union record {
	struct perf_event_header header;
	struct mmap2_record mmap2;
	struct fork_record fork;
	struct comm_record comm;
	struct lost_record lost;
	char bytes[RECORD_MAX];
};

/* The time stands at the end of each record (sample_id_all). */
static bool read_mapping(const struct mmap2_record *record, struct mapping *mapping)
{
	size_t size = record->header.size;

	if (size < sizeof(*record) + sizeof(uint64_t) + 1 ||
	    !memchr(record->path, '\0', size - sizeof(*record) - sizeof(uint64_t)))
		return false;
	mapping->kind = record->inode && record->path[0] == '/' ? MAPPING_FILE : MAPPING_MEMORY;
	mapping->address = record->address;
	mapping->length = record->length;
	mapping->offset = record->page_offset;
	mapping->dev = makedev(record->major, record->minor);
	mapping->ino = record->inode;
	mapping->generation = record->generation;
	mapping->path = record->path;
	return true;
}

/* Of the others: whether it is more than a thread's beginning or a new name. */
static bool read_change(const union record *record, struct mapping *mapping)
{
	if (record->header.type == PERF_RECORD_FORK) {
		mapping->kind = MAPPING_FORK;
		mapping->parent = record->fork.parent_pid;
		return record->header.size >= sizeof(record->fork) && record->fork.pid != record->fork.parent_pid;
	}
	mapping->kind = MAPPING_EXEC;
	return record->header.type == PERF_RECORD_COMM && record->header.misc & PERF_RECORD_MISC_COMM_EXEC;
}

/* All of these records begin with the pid. */
static void take_record(const struct mappings *mappings, const union record *record,
			void (*mapped)(const struct mapping *, void *), void *userdata)
{
	size_t size = record->header.size;
	struct mapping mapping = { .pid = record->comm.pid };

	if (size < sizeof(record->comm) + sizeof(mapping.time_ns))
		return;
	memcpy(&mapping.time_ns, record->bytes + size - sizeof(mapping.time_ns), sizeof(mapping.time_ns));
	if (record->header.type == PERF_RECORD_MMAP2 ? !read_mapping(&record->mmap2, &mapping)
						     : !read_change(record, &mapping))
		return;
	if (mappings->scope == MAPPINGS_ALL || mapping.kind == MAPPING_FILE)
		mapped(&mapping, userdata);
}

static void read_ring(struct mappings *mappings, struct ring *ring, void (*mapped)(const struct mapping *, void *),
		      void *userdata)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE), tail = ring->page->data_tail;
	union record record;

	while (tail < head) {
		copy_out(mappings, ring, tail, &record.header, sizeof(record.header));
		if (record.header.size < sizeof(record.header) || record.header.size > RECORD_MAX)
			break; /* no record of the kernel's is like that */
		copy_out(mappings, ring, tail, &record, record.header.size);
		tail += record.header.size;
		if (record.header.type == PERF_RECORD_LOST)
			mappings->n_lost += record.lost.n_lost;
		else
			take_record(mappings, &record, mapped, userdata);
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

void mappings_read(struct mappings *mappings, void (*mapped)(const struct mapping *, void *), void *userdata)
{
	for (size_t i = 0; i < mappings->n_rings; i++)
		if (mappings->rings[i].fd >= 0)
			read_ring(mappings, &mappings->rings[i], mapped, userdata);
}

/* What a CPU's ring still holds when the CPU has gone is read before it is closed. */
int mappings_renew(struct mappings *mappings, void (*mapped)(const struct mapping *, void *), void *userdata)
{
	int n = 0;

	for (size_t cpu = 0; cpu < mappings->n_rings; cpu++) {
		struct ring *ring = &mappings->rings[cpu];

		if (ring->fd >= 0 && ring->life == hotplug_life(HOTPLUG_FOLDER, cpu))
			continue;
		if (ring->fd >= 0)
			read_ring(mappings, ring, mapped, userdata);
		close_ring(mappings, ring);
		n += open_ring(mappings, cpu) >= 0;
	}
	return n;
}
