/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bench/bench.h - what the benchmarks of the kernel side share: a session in this process, and
 * functions known to the byte */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "probe/attach.h"
#include "probe/attach_probes.h"
#include "probe/attach_scope.h"
#include "probe/rings.h"

extern const char __executable_start[];

#define FUNCTION(name, body)                                                                       \
	".globl " name "\n.type " name ", @function\n.p2align 5\n" name ":\n" body                 \
	"ret\n.size " name ", . - " name "\n"

static inline double now_s(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static inline double least(double a, double b)
{
	return a < 0 || b < a ? b : a;
}

#define STRETCHES 10

/* The least of several short stretches: the longer one is, the surer something comes between. */
static inline double ns_per_call(void (*function)(void), unsigned int n_calls)
{
	unsigned int n = n_calls / STRETCHES;
	double best = -1;

	for (unsigned int i = 0; i < 1000; i++)
		function();
	for (unsigned int stretch = 0; stretch < STRETCHES; stretch++) {
		double start = now_s(CLOCK_THREAD_CPUTIME_ID);

		for (unsigned int i = 0; i < n; i++)
			function();
		best = least(best, (now_s(CLOCK_THREAD_CPUTIME_ID) - start) * 1e9 / n);
	}
	return best;
}

static inline uint64_t offset_of(const struct binary *binary, const void *address)
{
	uint64_t base = binary->segments[0].address - binary->segments[0].file_offset, offset = 0;

	binary_file_offset(binary, base + ((const char *)address - __executable_start), &offset);
	return offset;
}

struct consumer { /* reads the rings as the daemon does, so that they never fill */
	struct rings *rings;
	bool stop;
	uint64_t n_records;
	pthread_t thread;
};

static inline void on_record(unsigned int ring, const void *data, size_t size, void *userdata)
{
	(void)ring, (void)data, (void)size;
	((struct consumer *)userdata)->n_records++;
}

static inline void *consume(void *userdata)
{
	struct consumer *consumer = userdata;

	while (!__atomic_load_n(&consumer->stop, __ATOMIC_ACQUIRE)) {
		rings_consume(consumer->rings);
		usleep(5000);
	}
	return NULL;
}

/* With this process in scope. `wanted` says what is beside the plain, as advice and metrics; NULL
 * with a sentence printed. */
static inline struct attach *open_session(const struct attach_config *wanted,
					  struct consumer *consumer)
{
	struct attach_config config = *wanted;
	struct attach *attach = NULL;
	struct why why = {0};
	int r;

	config.n_rings = 2;
	config.ring_bytes = 2 << 20;
	config.max_processes = 1024;
	r = attach_open(&config, &attach, &why);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, why_text(&why, r));
		return NULL;
	}
	attach_add_process(attach, getpid(), 0);
	*consumer = (struct consumer){0};
	rings_open(attach, on_record, consumer, &consumer->rings);
	pthread_create(&consumer->thread, NULL, consume, consumer);
	attach_arm(attach);
	return attach;
}

static inline void close_session(struct attach *attach, struct consumer *consumer)
{
	__atomic_store_n(&consumer->stop, true, __ATOMIC_RELEASE);
	pthread_join(consumer->thread, NULL);
	while (rings_consume(consumer->rings) > 0)
		;
	rings_close(consumer->rings);
	attach_close(attach);
}

#endif
