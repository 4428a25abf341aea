/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files that do not answer: opening a pipe waits until somebody opens its other end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/now.h"
#include "util/reach.h"

static int n_pauses, n_resumes, n_late;
static char folder[] = "/tmp/perfflow-reach-XXXXXX", pipe_path[64], file_path[64];

static void pause_once(void)
{
	n_pauses++;
}

static void resume_once(void)
{
	n_resumes++;
}

static void note_late(const char *path, void *userdata)
{
	assert_memory_equal(path, pipe_path, strlen(pipe_path));
	assert_ptr_equal(userdata, &n_late);
	n_late++;
}

static const struct reach_limit one_second = {
	.seconds = 1, .stop_fd = -1, .pause = pause_once, .resume = resume_once, .late_fn = note_late, .userdata = &n_late};

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool is_helper(const char *task)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", task);
	file = fopen(path, "re");
	return file && fgets(name, sizeof(name), file) && strcmp(name, "pf-reach\n") == 0;
}

static size_t count_helpers(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += is_helper(entry->d_name);
	closedir(dir);
	return n;
}

/* Threads end, and descriptors are closed, a moment later. */
static void assert_becomes(size_t (*count)(void), size_t wanted)
{
	for (int look = 0; look < 1000 && count() != wanted; look++)
		usleep(10000);
	assert_int_equal(count(), wanted);
}

static int set_up(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
	snprintf(file_path, sizeof(file_path), "%s/file", folder);
	fd = open(file_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 || write(fd, "12345", 5) != 5 ? -1 : mkfifo(pipe_path, 0600);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(pipe_path);
	unlink(file_path);
	return rmdir(folder);
}

/* As it would be without a limit, and with one. */
static void files_are_as_they_are(void **state)
{
	const struct reach_limit *limits[] = {NULL, &one_second};
	char link[96], target[PATH_MAX];
	struct stat status;

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(file_path, link), 0);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		_cleanup_close_ int fd = -1;

		reach_set_limit(limits[i]);
		fd = reach_open(file_path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(reach_read(fd, target, sizeof(target), 2), 3);
		assert_memory_equal(target, "345", 3);
		assert_int_equal(reach_read(fd, target, 1, 0), 1);
		assert_int_equal(reach_read(fd, target, 1, 5), 0);
		assert_int_equal(reach_stat(file_path, &status), 0);
		assert_int_equal(status.st_size, 5);
		assert_int_equal(reach_readlink(link, target, sizeof(target)), strlen(file_path));
		assert_memory_equal(target, file_path, strlen(file_path));
		assert_int_equal(reach_readlink(link, target, 3), 3);
		assert_int_equal(reach_open("/nowhere/at/all", O_RDONLY), -ENOENT);
		assert_int_equal(reach_stat("/nowhere/at/all", &status), -ENOENT);
		assert_int_equal(reach_readlink(file_path, target, sizeof(target)), -EINVAL);
	}
	reach_set_limit(NULL);
	assert_becomes(count_helpers, 0);
	assert_int_equal(unlink(link), 0);
}

static void what_does_not_answer_is_given_up_and_leaves_nothing(void **state)
{
	size_t n_fds = count_fds();
	uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	_cleanup_close_ int writer = -1;
	struct stat status;

	(void)state;
	n_pauses = n_resumes = n_late = 0;
	reach_set_limit(&one_second);
	assert_int_equal(reach_open(pipe_path, O_RDONLY | O_CLOEXEC), -ETIMEDOUT);
	assert_in_range(clock_now_ns(CLOCK_MONOTONIC) - begin_ns, 900000000ULL, 30000000000ULL);
	assert_int_equal(n_pauses, 1);
	assert_int_equal(n_resumes, 1);
	assert_int_equal(n_late, 1);
	assert_int_equal(reach_stat(file_path, &status), 0); /* others do */
	begin_ns = clock_now_ns(CLOCK_MONOTONIC);
	assert_int_equal(reach_open(pipe_path, O_RDONLY | O_CLOEXEC), -ETIMEDOUT); /* as is known by now */
	assert_in_range(clock_now_ns(CLOCK_MONOTONIC) - begin_ns, 0, 900000000ULL);
	assert_int_equal(n_late, 1);
	reach_set_limit(NULL);
	assert_becomes(count_helpers, 1); /* who still waits */
	writer = open(pipe_path, O_WRONLY | O_CLOEXEC); /* the answer, which nobody wants any more */
	assert_true(writer >= 0);
	assert_becomes(count_helpers, 0);
	assert_becomes(count_fds, n_fds + 1);
}

static void a_folder_in_which_two_did_not_answer_is_left_alone(void **state)
{
	_cleanup_close_ int writer = -1, second_writer = -1;
	char second[96];
	struct stat status;

	(void)state;
	snprintf(second, sizeof(second), "%s2", pipe_path);
	assert_int_equal(mkfifo(second, 0600), 0);
	n_late = 0;
	reach_set_limit(&one_second);
	assert_int_equal(reach_open(pipe_path, O_RDONLY | O_CLOEXEC), -ETIMEDOUT);
	assert_int_equal(reach_open(second, O_RDONLY | O_CLOEXEC), -ETIMEDOUT);
	assert_int_equal(reach_stat(file_path, &status), -ETIMEDOUT);
	assert_int_equal(reach_stat(folder, &status), 0);
	assert_int_equal(n_late, 2);
	reach_set_limit(&one_second); /* begins anew */
	assert_int_equal(reach_stat(file_path, &status), 0);
	reach_set_limit(NULL);
	writer = open(pipe_path, O_WRONLY | O_CLOEXEC);
	second_writer = open(second, O_WRONLY | O_CLOEXEC);
	assert_becomes(count_helpers, 0);
	assert_int_equal(unlink(second), 0);
}

static void who_is_told_to_stop_does_not_wait(void **state)
{
	struct reach_limit limit = one_second;
	_cleanup_close_ int stop_fd = eventfd(1, EFD_CLOEXEC), writer = -1;
	struct stat status;

	(void)state;
	limit.seconds = 3600;
	limit.stop_fd = stop_fd;
	n_late = 0;
	reach_set_limit(&limit);
	assert_int_equal(reach_open(pipe_path, O_RDONLY | O_CLOEXEC), -ECANCELED);
	assert_int_equal(n_late, 0);
	assert_int_equal(reach_stat(file_path, &status), 0); /* that is no wait */
	reach_set_limit(NULL);
	writer = open(pipe_path, O_WRONLY | O_CLOEXEC);
	assert_becomes(count_helpers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_as_they_are),
		cmocka_unit_test(what_does_not_answer_is_given_up_and_leaves_nothing),
		cmocka_unit_test(a_folder_in_which_two_did_not_answer_is_left_alone),
		cmocka_unit_test(who_is_told_to_stop_does_not_wait),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
