/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The helper thread and who asks share an errand, which the last of the two frees: the helper's answer may come when nobody waits
 * for it any more. Nearly all answers come at once, and these cost no more than to wake two threads.
 */
#include "util/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/now.h"
#include "util/thread.h"

#define AT_ONCE_MS 2
#define SECONDS_ONCE_LATE 1
#define MAX_LATE 64 /* of a thread: as many helpers may be stuck for it */

enum question { ASK_OPEN, ASK_STAT, ASK_READLINK, ASK_READ };

struct errand {
	enum question question;
	char path[PATH_MAX];
	int flags;
	int fd; /* to read from: the errand's own */
	size_t size;
	off_t offset;
	ssize_t answer; /* or -errno */
	struct stat status;
	char data[PATH_MAX];
};

struct helper {
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool has_errand, is_left; /* by who asks */
	int answered_fd;
	struct errand errand; /* the helper's while it has one, else of who asks */
};

static _Thread_local const struct reach_limit *limit;
static _Thread_local struct helper *own_helper;
static _Thread_local char *late[MAX_LATE]; /* what did not answer */
static _Thread_local size_t n_late;

static ssize_t ask(struct errand *errand)
{
	ssize_t r = -1;

	switch (errand->question) {
	case ASK_OPEN:
		r = open(errand->path, errand->flags);
		break;
	case ASK_STAT:
		r = stat(errand->path, &errand->status);
		break;
	case ASK_READLINK:
		r = readlink(errand->path, errand->data, sizeof(errand->data));
		break;
	case ASK_READ:
		r = pread(errand->fd, errand->data, errand->size, errand->offset);
		break;
	}
	r = r < 0 ? -errno : r;
	if (errand->question == ASK_READ)
		close(errand->fd);
	return r;
}

static void helper_free(struct helper *helper)
{
	closep(&helper->answered_fd);
	pthread_cond_destroy(&helper->asked);
	pthread_mutex_destroy(&helper->lock);
	free(helper);
}

/* Returns whether there is another. */
static bool await_errand(struct helper *helper)
{
	bool has_errand;

	pthread_mutex_lock(&helper->lock);
	while (!helper->has_errand && !helper->is_left)
		pthread_cond_wait(&helper->asked, &helper->lock);
	has_errand = helper->has_errand;
	pthread_mutex_unlock(&helper->lock);
	return has_errand;
}

/* Returns whether somebody has waited for it. */
static bool hand_over(struct helper *helper)
{
	bool is_left;

	pthread_mutex_lock(&helper->lock);
	helper->has_errand = false;
	is_left = helper->is_left;
	if (!is_left)
		eventfd_write(helper->answered_fd, 1);
	pthread_mutex_unlock(&helper->lock);
	return !is_left;
}

static void *help(void *userdata)
{
	struct helper *helper = userdata;

	while (await_errand(helper)) {
		helper->errand.answer = ask(&helper->errand);
		if (hand_over(helper))
			continue;
		if (helper->errand.question == ASK_OPEN && helper->errand.answer >= 0)
			close(helper->errand.answer);
		break;
	}
	helper_free(helper);
	return NULL;
}

static int helper_new(struct helper **ret_helper)
{
	struct helper *helper = calloc(1, sizeof(*helper));
	pthread_t thread;
	int r;

	if (!helper)
		return -ENOMEM;
	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->asked, NULL);
	helper->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = helper->answered_fd < 0 ? -errno : thread_start(&thread, "pf-reach", help, helper);
	if (r < 0) {
		helper_free(helper);
		return r;
	}
	pthread_detach(thread);
	*ret_helper = helper;
	return 0;
}

static void let_go(struct helper *helper)
{
	pthread_mutex_lock(&helper->lock);
	helper->is_left = true;
	pthread_cond_signal(&helper->asked);
	pthread_mutex_unlock(&helper->lock);
}

/* It ends when it has its answer. false: it has it by now. */
static bool give_up(struct helper *helper)
{
	bool is_late;

	pthread_mutex_lock(&helper->lock);
	is_late = helper->is_left = helper->has_errand;
	pthread_mutex_unlock(&helper->lock);
	return is_late;
}

void reach_set_limit(const struct reach_limit *new_limit)
{
	limit = new_limit;
	while (n_late)
		free(late[--n_late]);
	if (own_helper)
		let_go(take_ptr(own_helper));
}

/* 1: answered; 0: not yet; or -ECANCELED. What comes at once comes also to who is told to stop. */
static int wait_ms(const struct helper *helper, int ms)
{
	struct pollfd fds[] = { { .fd = helper->answered_fd, .events = POLLIN },
				{ .fd = ms > AT_ONCE_MS ? limit->stop_fd : -1, .events = POLLIN } };

	if (poll(fds, ARRAY_SIZE(fds), ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return fds[0].revents ? 1 : fds[1].revents ? -ECANCELED : 0;
}

static int wait_long(const struct helper *helper)
{
	unsigned int seconds = n_late && limit->seconds > SECONDS_ONCE_LATE ? SECONDS_ONCE_LATE : limit->seconds;
	uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ULL, now_ns;
	int r = 0;

	if (limit->pause)
		limit->pause();
	while (r == 0 && (now_ns = clock_now_ns(CLOCK_MONOTONIC)) < end_ns)
		r = wait_ms(helper, (end_ns - now_ns) / 1000000 + AT_ONCE_MS + 1);
	if (limit->resume)
		limit->resume();
	return r == 0 ? -ETIMEDOUT : r;
}

static int wait_for_answer(struct helper *helper)
{
	eventfd_t ignored;
	int r;

	r = wait_ms(helper, AT_ONCE_MS);
	if (r == 0)
		r = wait_long(helper);
	if (r < 0 && give_up(helper))
		return r;
	eventfd_read(helper->answered_fd, &ignored);
	return 0;
}

static void begin(struct helper *helper)
{
	pthread_mutex_lock(&helper->lock);
	helper->has_errand = true;
	pthread_cond_signal(&helper->asked);
	pthread_mutex_unlock(&helper->lock);
}

static void note_late(const char *path)
{
	late[n_late] = strdup(path);
	if (late[n_late])
		n_late++;
	if (limit->late_fn)
		limit->late_fn(path, limit->userdata);
	if (limit->late_fn && n_late == MAX_LATE)
		limit->late_fn(NULL, limit->userdata);
}

static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash + 1 - path) : 0;
}

/* Or to be where two others were. One alone may be where another file system begins. */
static bool is_known_to_be_late(const char *path)
{
	size_t folder = folder_length(path), n_beside = 0;

	for (size_t i = 0; i < n_late; i++) {
		size_t length = strlen(late[i]);

		if (strncmp(path, late[i], length) == 0 && (path[length] == '/' || !path[length]))
			return true;
		n_beside += folder_length(late[i]) == folder && strncmp(path, late[i], folder) == 0;
	}
	return n_beside >= 2 || n_late == MAX_LATE;
}

/* The errand that is to be filled in, of a helper that has none; NULL: r says why. */
static struct errand *begin_errand(enum question question, const char *path, int *r)
{
	*r = 0;
	if (strlen(path) >= PATH_MAX)
		*r = -ENAMETOOLONG;
	else if (is_known_to_be_late(path))
		*r = -ETIMEDOUT;
	else if (!own_helper)
		*r = helper_new(&own_helper);
	if (*r < 0)
		return NULL;
	own_helper->errand.question = question;
	strcpy(own_helper->errand.path, path);
	return &own_helper->errand;
}

/* 0: it has its answer, and is the caller's until the next one. */
static int have_asked(void)
{
	char path[PATH_MAX];
	int r;

	strcpy(path, own_helper->errand.path); /* what is given up is the helper's */
	begin(own_helper);
	r = wait_for_answer(own_helper);
	if (r < 0)
		own_helper = NULL; /* who frees itself */
	if (r == -ETIMEDOUT)
		note_late(path);
	if (r < 0)
		return r;
	return own_helper->errand.answer < 0 ? own_helper->errand.answer : 0;
}

int reach_open(const char *path, int flags)
{
	struct errand *errand;
	int r;

	if (!limit) {
		r = open(path, flags);
		return r < 0 ? -errno : r;
	}
	errand = begin_errand(ASK_OPEN, path, &r);
	if (!errand)
		return r;
	errand->flags = flags;
	r = have_asked();
	return r < 0 ? r : (int)errand->answer;
}

int reach_stat(const char *path, struct stat *ret_status)
{
	struct errand *errand;
	int r;

	if (!limit)
		return stat(path, ret_status) < 0 ? -errno : 0;
	errand = begin_errand(ASK_STAT, path, &r);
	if (!errand)
		return r;
	r = have_asked();
	if (r >= 0)
		*ret_status = errand->status;
	return r;
}

static ssize_t take_data(const struct errand *errand, void *buffer, size_t size)
{
	size_t n = errand->answer;

	if (n > size)
		n = size;
	memcpy(buffer, errand->data, n);
	return n;
}

ssize_t reach_readlink(const char *path, char *target, size_t size)
{
	struct errand *errand;
	ssize_t n;
	int r;

	if (!limit) {
		n = readlink(path, target, size);
		return n < 0 ? -errno : n;
	}
	errand = begin_errand(ASK_READLINK, path, &r);
	if (!errand)
		return r;
	r = have_asked();
	return r < 0 ? r : take_data(errand, target, size);
}

/* For who is told of it. */
static void find_path(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

ssize_t reach_read(int fd, void *buffer, size_t size, off_t offset)
{
	char path[PATH_MAX];
	struct errand *errand;
	ssize_t n;
	int r;

	if (!limit) {
		n = pread(fd, buffer, size, offset);
		return n < 0 ? -errno : n;
	}
	find_path(fd, path);
	errand = begin_errand(ASK_READ, path, &r);
	if (!errand)
		return r;
	errand->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (errand->fd < 0)
		return -errno;
	errand->size = size < sizeof(errand->data) ? size : sizeof(errand->data);
	errand->offset = offset;
	r = have_asked();
	return r < 0 ? r : take_data(errand, buffer, size);
}
