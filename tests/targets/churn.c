// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * churn FILE KIND N [M] - a program that counts its own calls, whatever becomes of it
 *
 * work() counts each call in FILE, a number of 8 bytes that its processes share, before it does anything else.
 * KIND: calls     N calls
 *       beats     N calls, one each millisecond, or until SIGTERM; behind the number is when the last one began, on the boot clock
 *       paced     N calls, M (100,000) a second
 *       forks     N processes, 8 at a time, each of which calls it M times (1)
 *       processes N processes that are there all at once and share their memory, each of which calls it M times (1)
 *       threads   N threads that are there all at once, each of which calls it M times (1)
 *       memory    one call for each of N MiB that it takes and keeps
 * Prints "done N" with what was counted, and ends with 0 if all went well.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define AT_A_TIME 8

static atomic_long *count; /* and the time */
static long n_times = 1;
static pthread_barrier_t barrier;

/* Begins with an instruction that a probe costs little at, so that the rate is not the probe's. */
__attribute__((patchable_function_entry(1))) CALLED static void work(void)
{
	atomic_fetch_add(count, 1);
	NO_TAIL_CALL();
}

static void work_often(long n)
{
	for (long i = 0; i < n; i++)
		work();
}

static int reap(int failed)
{
	int status = 1;

	wait(&status);
	return failed | (status != 0);
}

static int do_forks(long n)
{
	int failed = 0;
	pid_t pid;

	for (long i = 0; i < n; i++) {
		if (i >= AT_A_TIME)
			failed = reap(failed);
		pid = fork();
		if (pid == 0) {
			work_often(n_times);
			_exit(0);
		}
		failed |= pid < 0;
	}
	for (long i = 0; i < n && i < AT_A_TIME; i++)
		failed = reap(failed);
	return failed;
}

static atomic_long n_open; /* processes that have not called yet */

static int process_main(void *go)
{
	char ignored;

	work_often(n_times);
	atomic_fetch_sub(&n_open, 1);
	_exit(read(*(int *)go, &ignored, 1) != 0);
}

/* Each waits, when it has called, for the end of all the others' calls. */
static int do_processes(long n)
{
	const size_t stack_bytes = 16 * 1024;
	int go[2], failed = 0;
	long n_born = 0;

	if (pipe(go))
		return 1;
	n_open = n;
	for (; n_born < n && !failed; n_born++) {
		char *stack = malloc(stack_bytes);

		failed = !stack || clone(process_main, stack + stack_bytes, CLONE_VM | CLONE_FILES | SIGCHLD, &go[0]) < 0;
	}
	while (!failed && atomic_load(&n_open))
		usleep(1000);
	close(go[1]);
	for (long i = 0; i < n_born; i++)
		failed = reap(failed);
	return failed;
}

static void *thread_main(void *arg)
{
	work_often(n_times);
	pthread_barrier_wait(&barrier);
	return arg;
}

static int do_threads(long n)
{
	pthread_t *threads = calloc(n, sizeof(*threads));
	pthread_attr_t attr;

	if (!threads || pthread_barrier_init(&barrier, NULL, n) || pthread_attr_init(&attr) ||
	    pthread_attr_setstacksize(&attr, 64 * 1024))
		return 1;
	for (long i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, thread_main, NULL))
			_exit(1); /* the others wait for it */
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static int do_memory(long n)
{
	for (long i = 0; i < n; i++) {
		char *block = malloc(1 << 20);

		if (!block)
			return 1;
		memset(block, 1, 1 << 20);
		work();
	}
	return 0;
}

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
	(void)number;
	is_over = 1;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int do_beats(long n)
{
	signal(SIGTERM, on_term);
	for (long i = 0; i < n && !is_over; i++) {
		atomic_store(count + 1, now_ns(CLOCK_BOOTTIME));
		work();
		usleep(1000);
	}
	return 0;
}

/* What was missed of a millisecond is made up for in the next. */
static int do_paced(long n, long a_second)
{
	int64_t start_ns = now_ns(CLOCK_MONOTONIC);
	long done = 0, due;

	while (done < n) {
		due = (long)((now_ns(CLOCK_MONOTONIC) - start_ns) / 1000000 * a_second / 1000);
		for (due = due < n ? due : n; done < due; done++)
			work();
		usleep(1000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int fd = argc > 3 ? open(argv[1], O_RDWR | O_CREAT, 0644) : -1, failed;
	long n = argc > 3 ? atol(argv[3]) : 0;

	if (fd < 0 || ftruncate(fd, 2 * sizeof(*count)) < 0)
		return 2;
	count = mmap(NULL, 2 * sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (count == MAP_FAILED)
		return 2;
	if (argc > 4)
		n_times = atol(argv[4]);
	puts("ready");
	fflush(stdout);
	failed = strcmp(argv[2], "forks") == 0     ? do_forks(n)
		 : strcmp(argv[2], "processes") == 0 ? do_processes(n)
		 : strcmp(argv[2], "threads") == 0 ? do_threads(n)
		 : strcmp(argv[2], "memory") == 0  ? do_memory(n)
		 : strcmp(argv[2], "beats") == 0   ? do_beats(n)
		 : strcmp(argv[2], "paced") == 0   ? do_paced(n, argc > 4 ? n_times : 100000)
						   : (work_often(n), 0);
	printf("done %ld\n", atomic_load(count));
	return failed;
}
