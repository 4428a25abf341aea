// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * requests HOW... - work that begins in one function and thread and ends in another
 *
 * workers: 32 requests, submit(request, number) in the main thread, complete(request) in one of 4 threads
 *
 * any: 8 requests, submit() in the main thread, then wait_any(), which returns the request that is complete
 *
 * handles: 8 requests by small numbers that come again, begin(handle), end(handle), each handle in use twice at a time
 *
 * lost: 3 requests that are submitted and never completed, 2 that are completed without being submitted
 *
 * thread: in 4 threads 5 times by_thread(), which rests for 1 ms
 *
 * leaves: 4 threads that end inside of by_thread()
 *
 * processes: 2 children at once, each 10 requests at one address, submit() and complete()
 *
 * launched: 8 requests by what launch() returns in the main thread; in one of 4 threads poll_once(), twice, and await() take it
 *
 * jumps: launch() is left by a longjmp, called again, and the process ends inside of a third
 *
 * Of each request of `workers`, `any`, `handles` and `launched` a line when it is complete: how, its
 * id, and when it began and ended, nanoseconds of the boot clock taken inside of the functions.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

#define N_WORKERS  4
#define N_REQUESTS 32

struct request {
	long number;
	int64_t begin_ns, end_ns;
};

static struct request requests[N_REQUESTS];
static int queue[2];
static jmp_buf way_out;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

CALLED static void submit(struct request *request, long number)
{
	request->number = number;
	request->begin_ns = now_ns();
}

CALLED static void complete(struct request *request)
{
	request->end_ns = now_ns();
}

CALLED static struct request *wait_any(struct request *first, long n)
{
	static long taken;

	usleep(500);
	first[taken % n].end_ns = now_ns();
	return &first[taken++ % n];
}

CALLED static int64_t begin(int handle)
{
	return handle < 0 ? -1 : now_ns();
}

CALLED static int64_t end(int handle)
{
	return handle < 0 ? -1 : now_ns();
}

enum { LAUNCH_JUMPS = -1, LAUNCH_EXITS = -2 };

/* Its number is known when it returns, and takes a moment. */
CALLED static int launch(int number)
{
	if (number == LAUNCH_JUMPS)
		longjmp(way_out, 1);
	if (number == LAUNCH_EXITS)
		_exit(0);
	requests[number].begin_ns = now_ns();
	usleep(2000);
	return 4000 + number;
}

CALLED static int poll_once(int handle)
{
	usleep(500);
	return handle;
}

CALLED static void await(int handle)
{
	requests[handle - 4000].end_ns = now_ns();
}

CALLED static void by_thread(int leaves)
{
	usleep(1000);
	if (leaves)
		pthread_exit(NULL);
	NO_TAIL_CALL();
}

static void print(const char *how, uint64_t id, int64_t begin_ns, int64_t end_ns)
{
	printf("%s %llu %lld %lld\n", how, (unsigned long long)id, (long long)begin_ns,
	       (long long)end_ns);
}

static void *work(void *arg)
{
	struct request *request;

	while (read(queue[0], &request, sizeof(request)) == sizeof(request)) {
		usleep(1000 + request->number % 5 * 500);
		complete(request);
	}
	return arg;
}

static int in_workers(void)
{
	pthread_t threads[N_WORKERS];

	if (pipe(queue))
		return 1;
	for (int i = 0; i < N_WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 1;
	}
	for (int i = 0; i < N_REQUESTS; i++) {
		struct request *request = &requests[i];

		submit(request, i);
		if (write(queue[1], &request, sizeof(request)) != sizeof(request))
			return 1;
	}
	close(queue[1]);
	for (int i = 0; i < N_WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < N_REQUESTS; i++)
		print("workers", (uintptr_t)&requests[i], requests[i].begin_ns, requests[i].end_ns);
	return 0;
}

static int any(void)
{
	for (int i = 0; i < 8; i++)
		submit(&requests[i], i);
	for (int i = 0; i < 8; i++) {
		struct request *request = wait_any(requests, 8);

		print("any", (uintptr_t)request, request->begin_ns, request->end_ns);
	}
	return 0;
}

static void *await_all(void *arg)
{
	int handle;

	while (read(queue[0], &handle, sizeof(handle)) == sizeof(handle)) {
		poll_once(handle);
		poll_once(handle);
		await(handle);
	}
	return arg;
}

static int launched(void)
{
	pthread_t threads[N_WORKERS];

	if (pipe(queue))
		return 1;
	for (int i = 0; i < N_WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, await_all, NULL))
			return 1;
	}
	for (int i = 0; i < 8; i++) {
		int handle = launch(i);

		if (write(queue[1], &handle, sizeof(handle)) != sizeof(handle))
			return 1;
	}
	close(queue[1]);
	for (int i = 0; i < N_WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 8; i++)
		print("launched", 4000 + i, requests[i].begin_ns, requests[i].end_ns);
	return 0;
}

static int jumps(void)
{
	if (!setjmp(way_out))
		launch(LAUNCH_JUMPS);
	await(launch(0));
	return launch(LAUNCH_EXITS);
}

/* Of two with one id the younger ends first. */
static int handles(void)
{
	for (int handle = 1; handle <= 4; handle++) {
		int64_t outer_ns = begin(handle), inner_ns = begin(handle);

		print("handles", handle, inner_ns, end(handle));
		print("handles", handle, outer_ns, end(handle));
	}
	return 0;
}

static int lost(void)
{
	for (int i = 0; i < 3; i++)
		submit(&requests[i], i);
	for (int i = 3; i < 5; i++)
		complete(&requests[i]);
	return 0;
}

static void *five_times(void *arg)
{
	for (int i = 0; i < 5; i++)
		by_thread(0);
	return arg;
}

static void *leave(void *arg)
{
	by_thread(1);
	return arg;
}

static int four_threads(void *(*main)(void *))
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, main, NULL))
			return 1;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static int by_threads(void)
{
	return four_threads(five_times);
}

static int leaving(void)
{
	return four_threads(leave);
}

static int processes(void)
{
	for (int child = 0; child < 2; child++) {
		if (fork())
			continue;
		for (int i = 0; i < 10; i++) {
			submit(&requests[0], i);
			usleep(1000);
			complete(&requests[0]);
		}
		_exit(0);
	}
	return wait(NULL) < 0 || wait(NULL) < 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} ways[] = {{"workers", in_workers}, {"any", any},	  {"handles", handles},	   {"lost", lost},
	    {"thread", by_threads},  {"leaves", leaving}, {"processes", processes},
	    {"launched", launched},  {"jumps", jumps}};

int main(int argc, char **argv)
{
	for (int k = 1; k < argc; k++) {
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			if (!strcmp(argv[k], ways[i].name) && ways[i].run())
				return 1;
		}
	}
	return 0;
}
