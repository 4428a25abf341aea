/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A dummy software event per CPU carries the records; each ring is small, since a mapping is a rare thing. Records may wrap
 * at the ring's end, so each is copied out before it is looked at.
 */
#include "probe/mappings.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

#define RING_PAGES 16 /* a power of two */
#define RECORD_MAX 8192

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* followed by the ring's bytes */
};

struct mappings {
	int epoll_fd;
	size_t page_bytes;
	uint64_t n_lost;
	size_t n_rings;
	struct ring rings[];
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

struct lost_record { /* PERF_RECORD_LOST */
	struct perf_event_header header;
	uint64_t id, n_lost;
};

static int open_event(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.watermark = 1,
		.wakeup_watermark = 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static size_t ring_bytes(const struct mappings *mappings)
{
	return RING_PAGES * mappings->page_bytes;
}

static int open_ring(struct mappings *mappings, int cpu)
{
	struct ring *ring = &mappings->rings[mappings->n_rings];
	struct epoll_event event = { .events = EPOLLIN };
	void *memory;
	int fd;

	fd = open_event(cpu);
	if (fd == -ENODEV)
		return 0; /* offline */
	if (fd < 0)
		return fd;
	memory = mmap(NULL, mappings->page_bytes + ring_bytes(mappings), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ring = (struct ring){ .fd = fd, .page = memory };
	mappings->n_rings++;
	return epoll_ctl(mappings->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int mappings_open(struct mappings **ret_mappings)
{
	_cleanup_(mappings_closep) struct mappings *mappings = NULL;
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r;

	if (n_cpus < 1)
		return -EINVAL;
	mappings = calloc(1, sizeof(*mappings) + n_cpus * sizeof(mappings->rings[0]));
	if (!mappings)
		return -ENOMEM;
	mappings->page_bytes = sysconf(_SC_PAGESIZE);
	mappings->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (mappings->epoll_fd < 0)
		return -errno;
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		r = open_ring(mappings, cpu);
		if (r < 0)
			return r;
	}
	*ret_mappings = take_ptr(mappings);
	return 0;
}

void mappings_close(struct mappings *mappings)
{
	if (!mappings)
		return;
	for (size_t i = 0; i < mappings->n_rings; i++) {
		munmap(mappings->rings[i].page, mappings->page_bytes + ring_bytes(mappings));
		close(mappings->rings[i].fd);
	}
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

/* The time stands at the end of each record (sample_id_all). */
static void take_mapping(const struct mmap2_record *record, void (*mapped)(const struct mapping *, void *),
			 void *userdata)
{
	size_t size = record->header.size;
	struct mapping mapping = {
		.pid = record->pid,
		.dev = makedev(record->major, record->minor),
		.ino = record->inode,
		.path = record->path,
	};

	if (size < sizeof(*record) + sizeof(uint64_t) + 1 || !record->inode || record->path[0] != '/')
		return;
	memcpy(&mapping.time_ns, (const char *)record + size - sizeof(uint64_t), sizeof(uint64_t));
	if (memchr(record->path, '\0', size - sizeof(*record) - sizeof(uint64_t)))
		mapped(&mapping, userdata);
}

static void read_ring(struct mappings *mappings, struct ring *ring, void (*mapped)(const struct mapping *, void *),
		      void *userdata)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE), tail = ring->page->data_tail;
	union {
		struct perf_event_header header;
		struct mmap2_record mmap2;
		struct lost_record lost;
		char bytes[RECORD_MAX];
	} record;

	while (tail < head) {
		copy_out(mappings, ring, tail, &record.header, sizeof(record.header));
		if (record.header.size < sizeof(record.header) || record.header.size > RECORD_MAX)
			break; /* no record of the kernel's is like that */
		copy_out(mappings, ring, tail, &record, record.header.size);
		tail += record.header.size;
		if (record.header.type == PERF_RECORD_MMAP2)
			take_mapping(&record.mmap2, mapped, userdata);
		else if (record.header.type == PERF_RECORD_LOST)
			mappings->n_lost += record.lost.n_lost;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

void mappings_read(struct mappings *mappings, void (*mapped)(const struct mapping *, void *), void *userdata)
{
	for (size_t i = 0; i < mappings->n_rings; i++)
		read_ring(mappings, &mappings->rings[i], mapped, userdata);
}
