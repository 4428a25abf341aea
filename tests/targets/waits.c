// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * waits - calls that spend known times running, asleep, and waiting for a lock, a child, the disk,
 * and a CPU
 *
 * burns(ms), sleeps(ms), locks(ms): a lock that another thread holds for so long, hands(ms):
 * vfork(), whose child rests for so long, and for which the kernel waits uninterruptibly, reads(n),
 * writes(n): so many blocks of 256 kB of a file on a disk, without cache, and synced; four calls
 * each. competes(ms): on one CPU with another thread that does the same; two calls each.
 *
 * Of each call a line: its name, whether it waits uninterruptibly (1) or not (0), the thread, the
 * time since boot in its midst, and what passed in nanoseconds on the clock, on a CPU and waiting
 * for one (as /proc/thread-self/schedstat has it), and how often it went to sleep, first from its
 * first statement to its last, then as its caller saw it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define BLOCK	 262144L
#define N_BLOCKS 64

struct account {
	int64_t wall_ns, oncpu_ns, runnable_ns, n_sleeps;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;
static int file;
static char *block;

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void take(struct account *account)
{
	char text[128] = "";
	long long oncpu_ns = 0, runnable_ns = 0;
	struct rusage usage;
	int fd = open("/proc/thread-self/schedstat", O_RDONLY);

	clock_ns(CLOCK_THREAD_CPUTIME_ID); /* brings what schedstat shows up to date */
	if (read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%lld %lld", &oncpu_ns, &runnable_ns) != 2)
		_exit(1);
	getrusage(RUSAGE_THREAD, &usage);
	*account =
		(struct account){clock_ns(CLOCK_BOOTTIME), oncpu_ns, runnable_ns, usage.ru_nvcsw};
	close(fd);
}

static __thread struct account before, begin, end;

static void minus(const struct account *to, const struct account *from)
{
	printf(" %lld %lld %lld %lld", (long long)(to->wall_ns - from->wall_ns),
	       (long long)(to->oncpu_ns - from->oncpu_ns),
	       (long long)(to->runnable_ns - from->runnable_ns),
	       (long long)(to->n_sleeps - from->n_sleeps));
}

static void print(const char *name, int is_io)
{
	struct account after;

	take(&after);
	flockfile(stdout);
	printf("%s %d %d %lld", name, is_io, gettid(), (long long)begin.wall_ns);
	minus(&end, &begin);
	minus(&after, &before);
	putchar('\n');
	funlockfile(stdout);
}

#define ACCOUNT_FOR(name, is_io, argument)                                                         \
	do {                                                                                       \
		take(&before);                                                                     \
		name(argument);                                                                    \
		print(#name, is_io);                                                               \
	} while (0)

static void burn(long ms)
{
	int64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000LL;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

CALLED static void burns(long ms)
{
	take(&begin);
	burn(ms);
	take(&end);
}

CALLED static void sleeps(long ms)
{
	take(&begin);
	usleep(ms * 1000);
	take(&end);
}

static void *hold(void *ms)
{
	pthread_mutex_lock(&lock);
	pthread_barrier_wait(&held);
	usleep((long)ms * 1000);
	pthread_mutex_unlock(&lock);
	return NULL;
}

CALLED static void locks(long ms)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, hold, (void *)ms))
		_exit(1);
	pthread_barrier_wait(&held);
	take(&begin);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	take(&end);
	pthread_join(thread, NULL);
}

CALLED static void hands(long ms)
{
	pid_t pid;

	take(&begin);
	pid = vfork();
	if (!pid) {
		usleep(ms * 1000);
		_exit(0);
	}
	take(&end);
	waitpid(pid, NULL, 0);
}

CALLED static void reads(long n)
{
	take(&begin);
	for (long i = 0; i < n; i++)
		if (pread(file, block, BLOCK, i % N_BLOCKS * BLOCK) != BLOCK)
			_exit(1);
	take(&end);
}

CALLED static void writes(long n)
{
	take(&begin);
	for (long i = 0; i < n; i++)
		if (pwrite(file, block, BLOCK, i % N_BLOCKS * BLOCK) != BLOCK || fsync(file))
			_exit(1);
	take(&end);
}

CALLED static void competes(long ms)
{
	take(&begin);
	burn(ms);
	take(&end);
}

static void *compete_in_thread(void *ms)
{
	ACCOUNT_FOR(competes, 0, (long)ms);
	return NULL;
}

static void compete(long ms)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++) {
		if (pthread_create(&threads[i], NULL, compete_in_thread, (void *)ms))
			_exit(1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Where the folder's file system can do without its cache. */
static int open_file(void)
{
	char path[] = "waits-XXXXXX";
	int fd = mkstemp(path), direct;

	if (fd < 0 || ftruncate(fd, N_BLOCKS * BLOCK) ||
	    posix_memalign((void **)&block, 4096, BLOCK))
		_exit(1);
	memset(block, 1, BLOCK);
	for (long i = 0; i < N_BLOCKS; i++)
		if (pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK)
			_exit(1);
	fsync(fd);
	direct = open(path, O_RDWR | O_DIRECT);
	unlink(path);
	close(fd);
	return direct;
}

int main(void)
{
	cpu_set_t one;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_barrier_init(&held, NULL, 2);
	file = open_file();
	for (long k = 1; k <= 4; k++) {
		ACCOUNT_FOR(burns, 0, k * 25);
		ACCOUNT_FOR(sleeps, 0, k * 25);
		ACCOUNT_FOR(locks, 0, k * 25);
		ACCOUNT_FOR(hands, 1, k * 25);
		if (file >= 0) {
			ACCOUNT_FOR(reads, 1, k * 15);
			ACCOUNT_FOR(writes, 1, k * 5);
		}
	}
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return 1;
	compete(50);
	compete(100);
	return 0;
}
