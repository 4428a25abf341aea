/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* When the next file is asked for, and what a client may answer. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "session/rotation.h"
#include "util/pass.h"

#define PIECE 1000000
#define SECOND 1000000000ULL

struct asked {
	struct rotation *rotation;
	int client;
};

static struct asked open_rotation(uint64_t bytes, uint64_t ns)
{
	struct asked asked;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(rotation_new(sockets[0], bytes, ns, 0, &asked.rotation), 0);
	asked.client = sockets[1];
	return asked;
}

static void asked_done(struct asked *asked)
{
	rotation_free(asked->rotation);
	closep(&asked->client);
}

static void check_question(struct asked *asked, const char *expected)
{
	char text[100] = "";
	ssize_t n = recv(asked->client, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	assert_string_equal(text, expected);
}

/* A descriptor goes along, which is closed here, or -1. */
static void answer(struct asked *asked, const char *text, int fd)
{
	struct iovec data = {(char *)text, strlen(text)};

	assert_int_equal(pass_send(asked->client, &data, 1, fd, 0), strlen(text));
	closep(&fd);
}

static int make_file(void)
{
	return memfd_create("piece", MFD_CLOEXEC);
}

static void a_file_is_asked_for_in_time_and_taken_when_the_piece_is_full(void **state)
{
	_cleanup_(asked_done) struct asked asked = open_rotation(PIECE, 0);
	int fd;

	(void)state;
	assert_false(rotation_is_due(asked.rotation, PIECE * 3 / 4 - 1, 100 * SECOND));
	assert_true(rotation_is_due(asked.rotation, PIECE * 3 / 4, 0));
	assert_int_equal(rotation_next(asked.rotation, PIECE * 3 / 4, 0), -EAGAIN);
	check_question(&asked, "{\"piece\":2}");
	answer(&asked, "{}", make_file());
	assert_false(rotation_is_due(asked.rotation, PIECE - 1, 0));
	assert_true(rotation_is_due(asked.rotation, PIECE + 10, 0));
	assert_int_equal(rotation_piece(asked.rotation), 1);
	fd = rotation_next(asked.rotation, PIECE + 10, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rotation_piece(asked.rotation), 2);
	assert_false(rotation_is_due(asked.rotation, PIECE + 10 + PIECE * 3 / 4 - 1, 0));
	assert_int_equal(rotation_next(asked.rotation, 2 * PIECE, 0), -EAGAIN);
	check_question(&asked, "{\"piece\":3}");
}

static void time_is_a_limit_too(void **state)
{
	_cleanup_(asked_done) struct asked asked = open_rotation(0, 4 * SECOND);
	int fd;

	(void)state;
	assert_false(rotation_is_due(asked.rotation, 1ULL << 60, 3 * SECOND - 1));
	assert_true(rotation_is_due(asked.rotation, 0, 3 * SECOND));
	assert_int_equal(rotation_next(asked.rotation, 0, 3 * SECOND), -EAGAIN);
	answer(&asked, "{}", make_file());
	assert_false(rotation_is_due(asked.rotation, 0, 4 * SECOND - 1));
	fd = rotation_next(asked.rotation, 0, 4 * SECOND);
	assert_true(fd >= 0);
	close(fd);
}

static void while_there_is_no_answer_it_is_asked_once_and_nothing_waits(void **state)
{
	_cleanup_(asked_done) struct asked asked = open_rotation(PIECE, 0);
	char text[100];
	uint64_t at = PIECE;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(rotation_is_due(asked.rotation, at, 0));
		assert_int_equal(rotation_next(asked.rotation, at, 0), -EAGAIN);
		assert_false(rotation_is_due(asked.rotation, at + 1, 0));
		at += PIECE;
	}
	check_question(&asked, "{\"piece\":2}");
	assert_int_equal(recv(asked.client, text, sizeof(text), MSG_DONTWAIT), -1);
}

static void check_refused(int fd, const char *text, const char *sentence)
{
	_cleanup_(asked_done) struct asked asked = open_rotation(PIECE, 0);
	_cleanup_(strings_done) struct strings warnings = {0};

	assert_int_equal(rotation_next(asked.rotation, PIECE, 0), -EAGAIN);
	answer(&asked, text, fd);
	assert_int_equal(rotation_next(asked.rotation, PIECE, 0), -EAGAIN);
	assert_int_equal(rotation_warn(asked.rotation, &warnings), 0);
	assert_int_equal(warnings.n_items, 1);
	assert_non_null(strstr(warnings.items[0], sentence));
	assert_int_equal(rotation_piece(asked.rotation), 1);
	/* and once more after another piece's length */
	assert_false(rotation_is_due(asked.rotation, PIECE + PIECE / 2, 0));
	assert_true(rotation_is_due(asked.rotation, 2 * PIECE, 0));
}

static void what_is_no_file_to_write_is_not_taken(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	check_refused(fds[1], "{}", "the client has made none");
	close(fds[0]);
	check_refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "{}", "the client has made none");
	check_refused(-1, "{\"message\":\"no room\"}", "no room");
	check_refused(-1, "no json", "the client has made none");
	check_refused(-1, "{\"message\":{}}", "the client has made none");
}

static void whoever_has_gone_is_not_asked_any_more(void **state)
{
	_cleanup_(asked_done) struct asked asked = open_rotation(PIECE, 0);
	_cleanup_(strings_done) struct strings warnings = {0};

	(void)state;
	close(take_fd(asked.client));
	assert_int_equal(rotation_next(asked.rotation, PIECE, 0), -EAGAIN);
	assert_false(rotation_is_due(asked.rotation, UINT64_MAX - 1, UINT64_MAX - 1));
	assert_int_equal(rotation_warn(asked.rotation, &warnings), 0);
	assert_int_equal(warnings.n_items, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_asked_for_in_time_and_taken_when_the_piece_is_full),
		cmocka_unit_test(time_is_a_limit_too),
		cmocka_unit_test(while_there_is_no_answer_it_is_asked_once_and_nothing_waits),
		cmocka_unit_test(what_is_no_file_to_write_is_not_taken),
		cmocka_unit_test(whoever_has_gone_is_not_asked_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
