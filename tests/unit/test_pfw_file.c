/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is in the file at each moment: a whole document, whatever comes next. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "sink/pfw_file.h"

/* The file's own descriptor is owned by what writes it; the test reads by another one. */
static struct pfw_file *open_file(bool is_object, int *ret_fd)
{
	struct pfw_file *file;

	*ret_fd = memfd_create("pfw", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(pfw_file_open(dup(*ret_fd), is_object, &file), 0);
	return file;
}

static void assert_content(int fd, const char *expected)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static void add(struct pfw_file *file, const char *event)
{
	assert_int_equal(pfw_file_add(file, event, strlen(event)), 0);
}

static void an_array_is_whole_at_each_flush(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int fd = -1;

	(void)state;
	file = open_file(false, &fd);
	assert_content(fd, "[\n]\n");
	assert_int_equal(pfw_file_flush(file), 0);
	assert_content(fd, "[\n]\n");
	add(file, "{\"a\": 1}");
	assert_int_equal(pfw_file_flush(file), 0);
	assert_content(fd, "[\n{\"a\": 1}\n]\n");
	add(file, "{\"b\": 2}");
	add(file, "{\"c\": 3}");
	assert_content(fd, "[\n{\"a\": 1}\n]\n");
	assert_int_equal(pfw_file_flush(file), 0);
	assert_content(fd, "[\n{\"a\": 1},\n{\"b\": 2},\n{\"c\": 3}\n]\n");
	assert_int_equal(pfw_file_finish(file), 0);
	assert_content(fd, "[\n{\"a\": 1},\n{\"b\": 2},\n{\"c\": 3}\n]\n");
}

static void an_object_has_the_head_of_perfflowaspects_with_a_unit_that_readers_know(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int fd = -1;

	(void)state;
	file = open_file(true, &fd);
	add(file, "{\"a\": 1}");
	add(file, "{\"b\": 2}");
	assert_int_equal(pfw_file_finish(file), 0);
	assert_content(fd, "{\n  \"displayTimeUnit\": \"ms\",\n  \"otherData\": {\n\n  },\n"
			   "  \"traceEvents\": [\n{\"a\": 1},\n{\"b\": 2}\n  ]\n}\n");
}

/* The blanks at the ends of lines go, as long as they are whole. */
static void assert_lines(int fd, const char *const *lines)
{
	char text[65536], *line, *rest = text;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	for (; *lines; lines++) {
		char *end, last = '\0';

		line = strsep(&rest, "\n");
		assert_non_null(line);
		end = line + strlen(line);
		if (end > line && end[-1] == ',')
			last = *--end;
		while (end > line && end[-1] == ' ')
			end--;
		end[0] = last;
		if (last)
			end[1] = '\0';
		assert_string_equal(line, *lines);
	}
	assert_string_equal(rest, "");
}
#define ASSERT_LINES(fd, ...) assert_lines(fd, (const char *const[]){__VA_ARGS__, NULL})

static void room_is_filled_before_and_after_it_was_flushed(void **state)
{
	for (int flushes = 0; flushes < 2; flushes++) {
		_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
		_cleanup_close_ int fd = -1;
		struct pfw_room first, second, third;

		(void)state;
		file = open_file(false, &fd);
		assert_int_equal(pfw_file_leave_room(file, &first), 0);
		assert_int_equal(pfw_file_leave_room(file, &second), 0);
		add(file, "{\"c\": 3}");
		assert_int_equal(pfw_file_leave_room(file, &third), 0);
		add(file, "{\"e\": 5}");
		if (flushes) {
			assert_int_equal(pfw_file_flush(file), 0);
			ASSERT_LINES(fd, "[", "{\"c\": 3},", "{\"e\": 5}", "]");
		}
		assert_int_equal(pfw_file_fill(file, &second, "{\"b\": 2}", 8), 0);
		assert_int_equal(pfw_file_fill(file, &third, "{\"d\": 4}", 8), 0);
		assert_int_equal(pfw_file_fill(file, &first, "{\"a\": 1}", 8), 0);
		assert_int_equal(pfw_file_finish(file), 0);
		ASSERT_LINES(fd, "[", "{\"a\": 1},", "{\"b\": 2},", "{\"c\": 3},", "{\"d\": 4},",
			     "{\"e\": 5}", "]");
	}
}

static void room_that_is_never_filled_is_blank(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int fd = -1;
	struct pfw_room room;

	(void)state;
	file = open_file(false, &fd);
	add(file, "{\"a\": 1}");
	assert_int_equal(pfw_file_leave_room(file, &room), 0);
	add(file, "{\"b\": 2}");
	assert_int_equal(pfw_file_finish(file), 0);
	ASSERT_LINES(fd, "[", "{\"a\": 1},", "{\"b\": 2}", "]");
}

static void what_does_not_fit_into_the_room_is_refused(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int fd = -1;
	struct pfw_room room;
	char event[511];

	(void)state;
	memset(event, 'x', sizeof(event));
	file = open_file(false, &fd);
	assert_int_equal(pfw_file_leave_room(file, &room), 0);
	assert_int_equal(pfw_file_fill(file, &room, event, sizeof(event)), -EMSGSIZE);
	assert_int_equal(pfw_file_fill(file, &room, event, sizeof(event) - 1), 0);
}

static void many_events_go_out_by_themselves(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	_cleanup_close_ int fd = -1;
	char event[100], text[16];

	(void)state;
	file = open_file(false, &fd);
	memset(event, '7', sizeof(event));
	for (int i = 0; i < 10000; i++)
		assert_int_equal(pfw_file_add(file, event, sizeof(event)), 0);
	assert_true(lseek(fd, 0, SEEK_END) > 800000);
	assert_int_equal(pfw_file_finish(file), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 1 + 10000 * 102 - 1 + 3);
	assert_int_equal(pread(fd, text, 4, lseek(fd, 0, SEEK_END) - 4), 4);
	assert_memory_equal(text, "7\n]\n", 4);
}

static void an_event_that_is_absurdly_long_is_refused(void **state)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	static char event[PFW_MAX_EVENT_BYTES + 1];
	_cleanup_close_ int fd = -1;

	(void)state;
	memset(event, '7', sizeof(event));
	file = open_file(false, &fd);
	assert_int_equal(pfw_file_add(file, event, sizeof(event)), -EMSGSIZE);
	assert_int_equal(pfw_file_add(file, event, sizeof(event) - 1), 0);
	assert_int_equal(pfw_file_add(file, event, sizeof(event) - 1), 0);
	assert_int_equal(pfw_file_finish(file), 0);
}

/* A limit on the size of files is a disk that is full at a place of our choosing. */
static void write_up_to(rlim_t limit, int n, bool is_object, int fd)
{
	_cleanup_(pfw_file_freep) struct pfw_file *file = NULL;
	struct rlimit old, new;
	int r = 0;

	assert_int_equal(pfw_file_open(dup(fd), is_object, &file), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	new = (struct rlimit){.rlim_cur = limit, .rlim_max = old.rlim_max};
	for (int i = 0; i < n; i++) {
		add(file, "{\"n\": 1}");
		if (i == n / 2)
			assert_int_equal(pfw_file_flush(file), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &new), 0);
	r = pfw_file_finish(file);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(r, -EFBIG);
	assert_int_equal(pfw_file_add(file, "{}", 2), -EFBIG);
}

static void a_full_disk_leaves_whole_events(void **state)
{
	static const rlim_t limits[] = {40, 41, 42, 43, 47, 50, 52, 53};
	char path[] = "/tmp/perfflow-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		char text[256];
		ssize_t n;

		assert_int_equal(ftruncate(fd, 0), 0);
		write_up_to(limits[i], 6, false, fd);
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		assert_true(n >= 30);
		if (n < (ssize_t)limits[i]) /* else there was no room for the end */
			assert_string_equal(text + n - 3, "\n]\n");
		assert_null(strstr(text, ",\n]"));
	}
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct pfw_file *file;

	(void)state;
	assert_int_equal(pfw_file_open(open("/dev/null", O_WRONLY), false, &file), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_is_whole_at_each_flush),
		cmocka_unit_test(
			an_object_has_the_head_of_perfflowaspects_with_a_unit_that_readers_know),
		cmocka_unit_test(room_is_filled_before_and_after_it_was_flushed),
		cmocka_unit_test(room_that_is_never_filled_is_blank),
		cmocka_unit_test(what_does_not_fit_into_the_room_is_refused),
		cmocka_unit_test(many_events_go_out_by_themselves),
		cmocka_unit_test(an_event_that_is_absurdly_long_is_refused),
		cmocka_unit_test(a_full_disk_leaves_whole_events),
		cmocka_unit_test(what_is_no_regular_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
