/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "sink/output.h"

#define LINE_BYTES 100

/* A file without a name, and a second descriptor to read what the output wrote after it closed its
 * own. */
static int make_file(int *ret_fd)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	assert_true(fd >= 0);
	*ret_fd = dup(fd);
	return fd;
}

static size_t file_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* Lines of 99 characters that tell their number, so that one that is lost or torn is seen. */
static void write_lines(struct output *output, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		char *line = output_reserve(output, LINE_BYTES);

		memset(line, 'a' + i % 26, LINE_BYTES);
		line[LINE_BYTES - 1] = '\n';
		output_commit(output, LINE_BYTES);
	}
}

static void check_lines(const char *data, size_t size)
{
	assert_int_equal(size % LINE_BYTES, 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(data[i], i % LINE_BYTES == LINE_BYTES - 1
						  ? '\n'
						  : (int)('a' + i / LINE_BYTES % 26));
}

static void check_file(int fd, size_t n_lines)
{
	size_t size = n_lines * LINE_BYTES;
	char *data = malloc(size + 1);

	assert_int_equal(pread(fd, data, size + 1, 0), size);
	check_lines(data, size);
	free(data);
}

static void lines_reach_the_file_at_a_flush_and_at_the_end(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;

	(void)state;
	assert_int_equal(output_open(make_file(&read_fd), false, -1, &output), 0);
	write_lines(output, 0, 3);
	assert_int_equal(file_size(read_fd), 0);
	assert_int_equal(output_flush(output), 0);
	assert_int_equal(file_size(read_fd), 300);
	write_lines(output, 3, 50000);
	assert_int_equal(output_finish(output), 0);
	assert_int_equal(output_n_bytes(output), 50003 * LINE_BYTES);
	check_file(read_fd, 50003);
}

static void only_whole_lines_are_in_a_file_at_any_time(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;

	(void)state;
	assert_int_equal(output_open(make_file(&read_fd), false, -1, &output), 0);
	for (size_t i = 0; i < 20000; i++) {
		write_lines(output, i, 1);
		assert_int_equal(file_size(read_fd) % LINE_BYTES, 0);
	}
	assert_true(file_size(read_fd) > 0);
}

static void the_largest_reservation_always_fits(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;

	(void)state;
	assert_int_equal(output_open(make_file(&read_fd), false, -1, &output), 0);
	for (int i = 0; i < 100; i++) {
		memset(output_reserve(output, OUTPUT_RESERVE_MAX), 'x', OUTPUT_RESERVE_MAX);
		output_commit(output, OUTPUT_RESERVE_MAX - i);
	}
	assert_int_equal(output_finish(output), 0);
	assert_int_equal(file_size(read_fd), 100 * OUTPUT_RESERVE_MAX - 99 * 100 / 2);
}

static void a_full_disk_is_told_at_the_flush_and_stays(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;

	(void)state;
	assert_int_equal(output_open(open("/dev/full", O_WRONLY | O_CLOEXEC), false, -1, &output),
			 0);
	write_lines(output, 0, 1);
	assert_int_equal(output_error(output), 0);
	assert_int_equal(output_flush(output), -ENOSPC);
	write_lines(output, 1, 100000);
	assert_int_equal(output_error(output), -ENOSPC);
	assert_int_equal(output_n_bytes(output), 0);
	assert_int_equal(output_finish(output), -ENOSPC);
}

static void a_full_disk_ends_compressed_output_too(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;

	(void)state;
	assert_int_equal(output_open(open("/dev/full", O_WRONLY | O_CLOEXEC), true, -1, &output),
			 0);
	write_lines(output, 0, 100000);
	assert_int_equal(output_finish(output), -ENOSPC);
}

static void a_descriptor_that_is_none_is_an_error_of_the_first_write(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;

	(void)state;
	assert_int_equal(output_open(-1, false, -1, &output), 0);
	write_lines(output, 0, 1);
	assert_int_equal(output_flush(output), -EBADF);
}

static void check_reader_gone(int fds[2], bool compress)
{
	_cleanup_(output_freep) struct output *output = NULL;

	assert_int_equal(output_open(fds[1], compress, -1, &output), 0);
	close(fds[0]);
	write_lines(output, 0, 100);
	assert_int_equal(output_finish(output), -EPIPE);
}

static void a_reader_that_is_gone_is_a_broken_pipe(void **state)
{
	int fds[2];

	(void)state;
	for (int compress = 0; compress < 2; compress++) {
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		check_reader_gone(fds, compress);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		check_reader_gone(fds, compress);
	}
}

struct reader {
	int fd;
	char *data;
	size_t size;
};

/* Reads all, slowly at first, so that the pipe is full. */
static void *read_all(void *userdata)
{
	struct reader *reader = userdata;
	ssize_t n;

	usleep(50000);
	while ((n = read(reader->fd, reader->data + reader->size, 7777)) > 0)
		reader->size += n;
	return NULL;
}

static void check_slow_reader(int read_fd, int write_fd)
{
	struct reader reader = {.fd = read_fd, .data = malloc(20000 * LINE_BYTES + 8000)};
	_cleanup_(output_freep) struct output *output = NULL;
	pthread_t thread;

	assert_int_equal(output_open(write_fd, false, -1, &output), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
	write_lines(output, 0, 20000);
	assert_int_equal(output_finish(output), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.size, 20000 * LINE_BYTES);
	check_lines(reader.data, reader.size);
	free(reader.data);
	close(read_fd);
}

static void a_slow_reader_gets_everything(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	check_slow_reader(fds[0], fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	check_slow_reader(fds[0], fds[1]);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void a_pipe_that_nobody_reads_is_given_up_two_seconds_after_the_stop(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int stop_fd = eventfd(1, EFD_CLOEXEC);
	double begin = seconds(), took;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(output_open(fds[1], false, stop_fd, &output), 0);
	write_lines(output, 0, 20000);
	assert_int_equal(output_finish(output), -ETIMEDOUT);
	took = seconds() - begin;
	assert_true(took > 1.9 && took < 4);
	close(fds[0]);
}

static void a_flush_that_may_not_wait_keeps_the_rest(void **state)
{
	char *data = malloc(3000 * LINE_BYTES);
	_cleanup_(output_freep) struct output *output = NULL;
	size_t size = 0, n_before;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(output_open(fds[1], false, -1, &output), 0);
	write_lines(output, 0, 2000); /* more than the pipe holds */
	assert_int_equal(output_flush_some(output), 0);
	n_before = output_n_bytes(output);
	assert_true(n_before > 0 && n_before < 2000 * LINE_BYTES);
	while (size < 2000 * LINE_BYTES) {
		size += read(fds[0], data + size, n_before);
		assert_int_equal(output_flush_some(output), 0);
	}
	check_lines(data, size);
	free(data);
	close(fds[0]);
}

/* The open file is shared with others, who would find their own reads and writes failing. */
static void the_flags_of_the_open_file_stay_as_they_were(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	int fds[2], shared_fd;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	shared_fd = dup(fds[1]);
	assert_int_equal(output_open(fds[1], false, -1, &output), 0);
	write_lines(output, 0, 10);
	assert_int_equal(output_flush(output), 0);
	assert_int_equal(fcntl(shared_fd, F_GETFL) & O_NONBLOCK, 0);
	close(shared_fd);
	close(fds[0]);
}

/* Unpacks one member, which must be all that there is. */
static char *gunzip(int fd, size_t room, size_t *ret_size)
{
	size_t size = file_size(fd);
	char *packed = malloc(size), *data = malloc(room);
	z_stream zlib = {.next_in = (Bytef *)packed,
			 .avail_in = size,
			 .next_out = (Bytef *)data,
			 .avail_out = room};

	assert_int_equal(pread(fd, packed, size, 0), size);
	assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
	assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
	assert_int_equal(zlib.avail_in, 0);
	*ret_size = zlib.total_out;
	inflateEnd(&zlib);
	free(packed);
	return data;
}

static void compressed_output_is_one_gzip_member(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;
	size_t size;
	char *data;

	(void)state;
	assert_int_equal(output_open(make_file(&read_fd), true, -1, &output), 0);
	for (int i = 0; i < 100; i++) {
		write_lines(output, i * 1000, 1000);
		assert_int_equal(output_flush(output), 0);
	}
	assert_int_equal(output_finish(output), 0);
	assert_int_equal(output_n_bytes(output), file_size(read_fd));

	data = gunzip(read_fd, 100001 * LINE_BYTES, &size);
	assert_int_equal(size, 100000 * LINE_BYTES);
	check_lines(data, size);
	free(data);
}

static void bytes_that_do_not_compress_come_back_whole(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;
	char *expected = malloc(3000000), *data;
	size_t size;

	(void)state;
	srand(1);
	for (size_t i = 0; i < 3000000; i++)
		expected[i] = rand() >> 7;
	assert_int_equal(output_open(make_file(&read_fd), true, -1, &output), 0);
	for (size_t i = 0; i < 3000000; i += 50000) {
		memcpy(output_reserve(output, 50000), expected + i, 50000);
		output_commit(output, 50000);
	}
	assert_int_equal(output_finish(output), 0);

	data = gunzip(read_fd, 3000001, &size);
	assert_int_equal(size, 3000000);
	assert_memory_equal(data, expected, size);
	free(data);
	free(expected);
}

static void finishing_twice_is_harmless(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int read_fd = -1;

	(void)state;
	assert_int_equal(output_open(make_file(&read_fd), false, -1, &output), 0);
	write_lines(output, 0, 1);
	assert_int_equal(output_finish(output), 0);
	assert_int_equal(output_finish(output), 0);
	check_file(read_fd, 1);
}

static void what_comes_next_is_in_a_file_of_its_own(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int first = -1, second = -1;

	(void)state;
	assert_int_equal(output_open(make_file(&first), false, -1, &output), 0);
	write_lines(output, 0, 10);
	assert_int_equal(output_next(output, make_file(&second)), 0);
	check_file(first, 10);
	write_lines(output, 0, 5);
	assert_int_equal(output_finish(output), 0);
	check_file(second, 5);
	assert_int_equal(output_n_bytes(output), 15 * LINE_BYTES);
}

static void compressed_files_that_follow_each_other_are_members_of_their_own(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	int fds[3];

	(void)state;
	assert_int_equal(output_open(make_file(&fds[0]), true, -1, &output), 0);
	for (int i = 0; i < 3; i++) {
		write_lines(output, 0, 10000);
		assert_int_equal(i < 2 ? output_next(output, make_file(&fds[i + 1])) : output_finish(output), 0);
	}
	for (int i = 0; i < 3; i++) {
		char *packed = malloc(file_size(fds[i])), *data = malloc(10000 * LINE_BYTES + 1);
		z_stream zlib = {.next_in = (Bytef *)packed,
				 .avail_in = file_size(fds[i]),
				 .next_out = (Bytef *)data,
				 .avail_out = 10000 * LINE_BYTES + 1};

		assert_int_equal(pread(fds[i], packed, file_size(fds[i]), 0), file_size(fds[i]));
		assert_int_equal(inflateInit2(&zlib, 15 + 16), Z_OK);
		assert_int_equal(inflate(&zlib, Z_FINISH), Z_STREAM_END);
		assert_int_equal(zlib.avail_in, 0);
		assert_int_equal(zlib.total_out, 10000 * LINE_BYTES);
		check_lines(data, zlib.total_out);
		inflateEnd(&zlib);
		free(packed);
		free(data);
		close(fds[i]);
	}
}

static void the_next_file_is_closed_where_the_first_has_failed(void **state)
{
	_cleanup_(output_freep) struct output *output = NULL;
	_cleanup_close_ int kept = -1;
	int next = make_file(&kept);

	(void)state;
	assert_int_equal(output_open(open("/dev/full", O_WRONLY | O_CLOEXEC), false, -1, &output), 0);
	write_lines(output, 0, 1);
	assert_int_equal(output_next(output, next), -ENOSPC);
	assert_int_equal(fcntl(next, F_GETFD), -1);
	assert_int_equal(output_error(output), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_reach_the_file_at_a_flush_and_at_the_end),
		cmocka_unit_test(only_whole_lines_are_in_a_file_at_any_time),
		cmocka_unit_test(the_largest_reservation_always_fits),
		cmocka_unit_test(a_full_disk_is_told_at_the_flush_and_stays),
		cmocka_unit_test(a_full_disk_ends_compressed_output_too),
		cmocka_unit_test(a_descriptor_that_is_none_is_an_error_of_the_first_write),
		cmocka_unit_test(a_reader_that_is_gone_is_a_broken_pipe),
		cmocka_unit_test(a_slow_reader_gets_everything),
		cmocka_unit_test(a_pipe_that_nobody_reads_is_given_up_two_seconds_after_the_stop),
		cmocka_unit_test(a_flush_that_may_not_wait_keeps_the_rest),
		cmocka_unit_test(the_flags_of_the_open_file_stay_as_they_were),
		cmocka_unit_test(compressed_output_is_one_gzip_member),
		cmocka_unit_test(bytes_that_do_not_compress_come_back_whole),
		cmocka_unit_test(finishing_twice_is_harmless),
		cmocka_unit_test(what_comes_next_is_in_a_file_of_its_own),
		cmocka_unit_test(compressed_files_that_follow_each_other_are_members_of_their_own),
		cmocka_unit_test(the_next_file_is_closed_where_the_first_has_failed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
