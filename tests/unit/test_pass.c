/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/pass.h"

struct pair {
	int ends[2];
};

static struct pair open_pair(void)
{
	struct pair pair;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.ends), 0);
	return pair;
}

static void pair_done(struct pair *pair)
{
	closep(&pair->ends[0]);
	closep(&pair->ends[1]);
}

static void the_parts_of_a_message_come_as_one(void **state)
{
	_cleanup_(pair_done) struct pair pair = open_pair();
	char one[] = "one", two[] = "two";
	const struct iovec sent[] = { { one, 3 }, { two, 3 } };
	char text[16] = "";
	const struct iovec received = { text, sizeof(text) };
	int fd;

	(void)state;
	assert_int_equal(pass_receive(pair.ends[1], &received, 1, MSG_DONTWAIT, &fd), -EAGAIN);
	assert_int_equal(pass_send(pair.ends[0], sent, 2, -1, 0), 6);
	assert_int_equal(pass_receive(pair.ends[1], &received, 1, 0, &fd), 6);
	assert_string_equal(text, "onetwo");
	assert_int_equal(fd, -1);
}

static void a_descriptor_arrives_as_the_same_file(void **state)
{
	_cleanup_(pair_done) struct pair pair = open_pair();
	_cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = -1;
	struct stat before, after;
	char byte;
	const struct iovec part = { &byte, 1 };

	(void)state;
	assert_int_equal(pass_send(pair.ends[0], &part, 1, file, 0), 1);
	assert_int_equal(pass_receive(pair.ends[1], &part, 1, 0, &fd), 1);
	assert_true(fd >= 0 && fd != file);
	assert_int_equal(fstat(file, &before), 0);
	assert_int_equal(fstat(fd, &after), 0);
	assert_true(before.st_dev == after.st_dev && before.st_ino == after.st_ino);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* The next number that is free tells whether one was left open. */
static void of_two_descriptors_one_is_taken_and_none_leaks(void **state)
{
	_cleanup_(pair_done) struct pair pair = open_pair();
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .header = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	const int both[] = { pair.ends[0], pair.ends[0] };
	int before = dup(pair.ends[0]), after, fd;

	(void)state;
	close(before);
	memcpy(CMSG_DATA(&control.header), both, sizeof(both));
	assert_int_equal(sendmsg(pair.ends[0], &message, 0), 1);
	assert_int_equal(pass_receive(pair.ends[1], &part, 1, 0, &fd), 1);
	assert_int_equal(fd, before);
	closep(&fd);
	after = dup(pair.ends[0]);
	close(after);
	assert_int_equal(after, before);
}

static void a_socket_without_another_end_is_an_error_and_no_signal(void **state)
{
	_cleanup_(pair_done) struct pair pair = open_pair();
	char byte = 0;
	const struct iovec part = { &byte, 1 };
	int fd;

	(void)state;
	close(pair.ends[1]);
	pair.ends[1] = -1;
	assert_int_equal(pass_send(pair.ends[0], &part, 1, -1, 0), -EPIPE);
	assert_int_equal(pass_receive(pair.ends[0], &part, 1, 0, &fd), 0);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_of_a_message_come_as_one),
		cmocka_unit_test(a_descriptor_arrives_as_the_same_file),
		cmocka_unit_test(of_two_descriptors_one_is_taken_and_none_leaks),
		cmocka_unit_test(a_socket_without_another_end_is_an_error_and_no_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
