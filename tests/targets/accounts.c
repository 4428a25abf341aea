// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * accounts WHAT... - calls that use known amounts of memory, faults, switches and I/O
 *
 * touches   touches(pages): touches so many new pages, and keeps them
 * returns   gives_back(): unmaps what touches() took
 * rereads   rereads(pages): touches pages of a file that are not in memory
 * sleeps    sleeps(n): goes to sleep n times
 * yields    yields(n): gives the CPU up n times to another thread that wants it
 * moves     moves(n): goes to another CPU n times
 * writes    writes(bytes): to a file and a pipe
 * reads     reads(bytes): from a file and a pipe
 * burns     burns(ms): on the CPU
 * nested    nested(3): each calls the next, and touches 100 pages itself
 * threads   touches(i * 10) in thread i of 4, at once
 *
 * Each is called five times, with 1 to 5 times as much. Of each call a line: its name, what it was
 * to do, and what the kernel says of the thread from its first statement to its last: minor and
 * major faults, voluntary and involuntary switches, and its resident memory at the end in KiB, by
 * /proc/self/smaps_rollup.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define PAGE 4096L

struct account {
	struct rusage begin, end;
};

static char *taken[16];
static size_t taken_pages[16], n_taken;
static char path[] = "/tmp/accounts-XXXXXX";
static int file, pipes[2];
static char buffer[65536];
static volatile int stop;

/* Resident memory by the page tables, which is exact; not through stdio, which would take memory
 * itself. */
static long resident_kib(void)
{
	static char text[1024];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *rss;

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	rss = strstr(text, "Rss:");
	return rss ? atol(rss + 4) : -1;
}

static void begin(struct account *account)
{
	getrusage(RUSAGE_THREAD, &account->begin);
}

static void end(struct account *account)
{
	getrusage(RUSAGE_THREAD, &account->end);
}

static void print(const char *name, long what, const struct account *account, long resident)
{
	const struct rusage *a = &account->begin, *b = &account->end;

	printf("%s %ld minor %ld major %ld voluntary %ld involuntary %ld resident %ld\n", name,
	       what, b->ru_minflt - a->ru_minflt, b->ru_majflt - a->ru_majflt,
	       b->ru_nvcsw - a->ru_nvcsw, b->ru_nivcsw - a->ru_nivcsw, resident);
}

static char *take(size_t pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	for (size_t i = 0; i < pages; i++)
		((volatile char *)memory)[i * PAGE] = 1;
	return memory;
}

CALLED static void touches(struct account *account, long pages)
{
	begin(account);
	taken[n_taken % 16] = take(pages);
	taken_pages[n_taken++ % 16] = pages;
	end(account);
}

CALLED static void gives_back(struct account *account)
{
	begin(account);
	if (n_taken) {
		n_taken--;
		munmap(taken[n_taken % 16], taken_pages[n_taken % 16] * PAGE);
	}
	end(account);
}

CALLED static long rereads(struct account *account, const char *memory, long pages)
{
	long sum = 0;

	begin(account);
	for (long i = 0; i < pages; i++)
		sum += ((volatile const char *)memory)[i * PAGE];
	end(account);
	return sum;
}

CALLED static void sleeps(struct account *account, long n)
{
	begin(account);
	for (long i = 0; i < n; i++)
		usleep(100);
	end(account);
}

CALLED static void yields(struct account *account, long n)
{
	begin(account);
	for (long i = 0; i < n; i++)
		sched_yield();
	end(account);
}

CALLED static void moves(struct account *account, long n)
{
	cpu_set_t one;

	begin(account);
	for (long i = 0; i < n; i++) {
		CPU_ZERO(&one);
		CPU_SET((sched_getcpu() + 1) % 2, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	end(account);
}

CALLED static void writes(struct account *account, long bytes)
{
	begin(account);
	if (pwrite(file, buffer, bytes, 0) != bytes || write(pipes[1], buffer, bytes) != bytes)
		_exit(1);
	end(account);
}

CALLED static void reads(struct account *account, long bytes)
{
	begin(account);
	if (pread(file, buffer, bytes, 0) != bytes || read(pipes[0], buffer, bytes) != bytes)
		_exit(1);
	end(account);
}

CALLED static void burns(struct account *account, long ms)
{
	struct timespec now;
	long long until;

	begin(account);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	until = now.tv_sec * 1000000000LL + now.tv_nsec + ms * 1000000LL;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1000000000LL + now.tv_nsec < until);
	end(account);
}

CALLED static void nested(long n)
{
	if (n > 1)
		nested(n - 1);
	munmap(take(100), 100 * PAGE);
	NO_TAIL_CALL();
}

/* Five calls; the first one also maps what the others find there. */
#define FIVE_TIMES(name, unit, call)                                                               \
	for (long k = 1; k <= 5; k++) {                                                            \
		long what = k * (unit);                                                            \
		struct account account;                                                            \
		call;                                                                              \
		print(name, what, &account, resident_kib());                                       \
	}

static void do_rereads(struct account *account, long pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, file, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, pages * PAGE, MADV_RANDOM); /* no reading ahead */
	fsync(file);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	rereads(account, memory, pages);
	munmap(memory, pages * PAGE);
}

static void *compete(void *arg)
{
	while (!stop)
		;
	return arg;
}

static void with_competitor(void)
{
	pthread_t thread;
	cpu_set_t one, all;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pthread_create(&thread, NULL, compete, NULL))
		_exit(1);
	FIVE_TIMES("yields", 10, yields(&account, what));
	stop = 1;
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(all), &all);
}

static void *touch_in_thread(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	for (long k = 1; k <= 5; k++) {
		long pages = (long)arg * 10 * k;
		struct account account;

		touches(&account, pages);
		pthread_mutex_lock(&lock);
		print("touches", pages, &account, -1);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void in_threads(void)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, touch_in_thread, (void *)(i + 1)))
			_exit(1);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void account_for(const char *what)
{
	if (!strcmp(what, "touches"))
		FIVE_TIMES("touches", 1000, touches(&account, what));
	if (!strcmp(what, "returns"))
		FIVE_TIMES("gives_back", 1000, gives_back(&account));
	if (!strcmp(what, "rereads"))
		FIVE_TIMES("rereads", 50, do_rereads(&account, what));
	if (!strcmp(what, "sleeps"))
		FIVE_TIMES("sleeps", 20, sleeps(&account, what));
	if (!strcmp(what, "yields"))
		with_competitor();
	if (!strcmp(what, "moves"))
		FIVE_TIMES("moves", 10, moves(&account, what));
	if (!strcmp(what, "writes"))
		FIVE_TIMES("writes", 5000,
			   (writes(&account, what), (void)!read(pipes[0], buffer, what)));
	if (!strcmp(what, "reads"))
		FIVE_TIMES("reads", 5000,
			   ((void)!write(pipes[1], buffer, what), reads(&account, what)));
	if (!strcmp(what, "burns"))
		FIVE_TIMES("burns", 10, burns(&account, what));
	if (!strcmp(what, "nested"))
		for (int i = 0; i < 5; i++)
			nested(3);
	if (!strcmp(what, "threads"))
		in_threads();
}

int main(int argc, char **argv)
{
	static char line[4096];

	setvbuf(stdout, line, _IOLBF, sizeof(line));
	file = mkstemp(path);
	unlink(path);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	memset(buffer, 1, sizeof(buffer));
	if (file < 0 || pipe(pipes) || ftruncate(file, 1000 * PAGE))
		return 1;
	for (int i = 0; i < 1000; i++)
		if (pwrite(file, buffer, PAGE, i * PAGE) != PAGE)
			return 1;
	for (int i = 1; i < argc; i++)
		account_for(argv[i]);
	return 0;
}
